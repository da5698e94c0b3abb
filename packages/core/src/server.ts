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
  /** Opens every listener. If one fails, those already open are stopped and its error is thrown: nothing is half started. */
  start(): Promise<readonly ListenAddress[]>;
  /** Drains, then stops what is left after `drainTime`, then closes the stores. May be called twice; both wait for the same end. */
  stop(): Promise<void>;
}

export function createMailServer({
  services,
  closeAfter = [],
  drainTime = 10_000,
  clock = systemClock,
}: MailServerOptions): MailServer {
  let stopping: Promise<void> | undefined;

  async function end(): Promise<void> {
    let cancel = () => {};
    const late = new Promise<void>((resolve) => (cancel = clock.after(drainTime, resolve)));
    await Promise.race([Promise.allSettled(services.map((service) => service.drain())), late]);
    cancel();
    await Promise.allSettled(services.map((service) => service.stop()));
    const failures: unknown[] = [];
    for (const resource of closeAfter) {
      await Promise.resolve(resource.close()).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw new AggregateError(failures, 'stores failed to close');
  }

  return {
    async start() {
      const started: Service[] = [];
      const addresses: ListenAddress[] = [];
      try {
        for (const service of services) {
          started.push(service);
          addresses.push(...(await service.start()));
        }
      } catch (error) {
        await Promise.allSettled(started.map((service) => service.stop()));
        throw error;
      }
      return addresses;
    },
    stop: () => (stopping ??= end()),
  };
}
