/** Words that the mirror's thread shares with the main thread. */

/** 1: the store is being closed. */
export const STOP = 0;
/** 1: the job under way is taken back; whoever sleeps for the rate sleeps here. */
export const ABORT = 1;
/** 1: a job is under way. */
export const RUNNING = 2;
export const WORDS = 3;
