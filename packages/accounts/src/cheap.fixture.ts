/** Hashing that is real but quick. */
import type { HashingOptions } from './password.ts';

export const cheap: HashingOptions = { memoryKiB: 64, passes: 1, scramIterations: 4096 };
