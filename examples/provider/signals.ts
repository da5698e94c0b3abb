/** SIGTERM and SIGINT let what is under way end; a second one cuts it off. */
import type { MailServer, Service } from '@mail-server-kit/core';

/**
 * Milliseconds. One Ctrl-C reaches us up to three times: from the terminal, from npm and from scripts/run.mjs. Only what
 * comes later is a second one.
 */
const ONE_SIGNAL = 500;

export interface Signals {
  /** Aborted by the first signal. */
  readonly stop: AbortSignal;
  /** From now on the first signal stops the server, also if it has come already, and the second one cuts clients off. */
  rule(server: MailServer, services: readonly Service[]): void;
}

/** To be called before anything is opened: a signal that comes during the start is heard once the step under way is done. */
export function listenForSignals(): Signals {
  const controller = new AbortController();
  const { signal: stop } = controller;
  // As harmless as a crash, for a start that hangs.
  let cutOff = (): void => process.exit(1);
  let first = 0;
  const onSignal = (): void => {
    const now = performance.now();
    if (!stop.aborted) {
      first = now;
      console.error('stopping: what is under way may end; once more stops at once');
      controller.abort();
    } else if (now - first > ONE_SIGNAL) cutOff();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);

  return {
    stop,
    rule(server, services) {
      // Draining ends when nobody is connected any more; the store is closed as always.
      cutOff = () => services.forEach((service) => void service.stop().catch(() => {}));
      const end = () =>
        server.stop().then(
          () => process.exit(0),
          (error: unknown) => {
            console.error(error);
            process.exit(1);
          },
        );
      if (stop.aborted) void end();
      else stop.addEventListener('abort', end, { once: true });
    },
  };
}
