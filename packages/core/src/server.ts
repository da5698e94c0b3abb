/** A mail server is services that start together, drain together and stop together. */
import { systemClock, type Clock } from './world.ts';

export interface ListenAddress {
  readonly service: string;
  readonly host: string;
  readonly port: number;
}

/** What listens (or works in the background). Made by createImapServer, createSmtpServer, ... */
export interface Service {
  readonly name: string;
  /** Opens its listeners; all or none. @throws the system's error (EADDRINUSE, EACCES, ...) with `port` */
  start(): Promise<readonly ListenAddress[]>;
  /** Takes no new connections, lets commands and transactions under way finish, then tells clients goodbye and closes. */
  drain(): Promise<void>;
  /** Closes everything now. */
  stop(): Promise<void>;
}

export interface MailServerOptions {
  /** Started in this order, drained all at once. */
  readonly services: readonly Service[];
  /** Closed after the services, in this order: stores, directories. */
  readonly closeAfter?: readonly { close(): Promise<void> | void }[];
  /** Milliseconds that draining may take before what is left is stopped. Default 10,000. */
  readonly drainTime?: number;
  readonly clock?: Clock;
}

export interface MailServer {
  /**
   * Opens every listener. If one fails, those already open are stopped and its error is thrown: nothing is half started, and
   * it may be tried again. @throws TypeError if it was started or stopped before
   */
  start(): Promise<readonly ListenAddress[]>;
  /**
   * Drains, stops what is left after `drainTime`, then closes the stores; a start under way ends first. May be called
   * twice; both wait for the same end. @throws AggregateError of all that failed, after the rest was stopped and closed
   */
  stop(): Promise<void>;
}

export function createMailServer({
  services,
  closeAfter = [],
  drainTime = 10_000,
  clock = systemClock,
}: MailServerOptions): MailServer {
  let starting: Promise<readonly ListenAddress[]> | undefined;
  let stopping: Promise<void> | undefined;

  async function open(): Promise<readonly ListenAddress[]> {
    const started: Service[] = [];
    const addresses: ListenAddress[] = [];
    try {
      for (const service of services) {
        started.push(service);
        addresses.push(...(await service.start()));
        if (stopping) throw new Error('the server was stopped while it was starting');
      }
    } catch (error) {
      await together(started.reverse(), (service) => service.stop());
      throw error;
    }
    return addresses;
  }

  async function end(): Promise<void> {
    const failures: unknown[] = [];
    const isOpen = await starting?.then(
      () => true,
      () => false,
    );
    if (isOpen) {
      let cancel = () => {};
      const late = new Promise<void>((resolve) => (cancel = clock.after(drainTime, resolve)));
      const drained = together(services, (service) => service.drain(), failures);
      await Promise.race([drained, late]);
      cancel();
      await together(services, (service) => service.stop(), failures);
    }
    // One after the other: what is closed later may be needed by what is closed before.
    for (const resource of closeAfter)
      await together([resource], ({ close }) => close.call(resource), failures);
    if (failures.length > 0)
      throw new AggregateError(failures, 'not everything stopped as it should');
  }

  return {
    async start() {
      if (stopping) throw new TypeError('a server that was stopped cannot be started');
      if (starting) throw new TypeError('the server was started before');
      starting = open();
      try {
        return await starting;
      } catch (error) {
        starting = undefined;
        throw error;
      }
    },
    stop: () => (stopping ??= end()),
  };
}

/** Does it to all, whether it fails for some, at once or later. */
async function together<Thing>(
  things: readonly Thing[],
  act: (thing: Thing) => Promise<void> | void,
  failures: unknown[] = [],
): Promise<void> {
  const attempts = things.map(async (thing) => act(thing));
  for (const attempt of await Promise.allSettled(attempts)) {
    if (attempt.status === 'rejected') failures.push(attempt.reason);
  }
}
