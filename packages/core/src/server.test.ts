import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import { createMailServer, type Service } from './server.ts';
import { fakeClock, turn } from './testing/clock.ts';

/** A service that writes down what is done to it; each step waits until it is let go on, if it is told to wait. */
function noting(
  log: string[],
  name: string,
  steps: Partial<Record<'start' | 'drain' | 'stop', Promise<unknown>>> = {},
): Service {
  const step = async (what: 'start' | 'drain' | 'stop') => {
    log.push(`${name} ${what}`);
    await steps[what];
  };
  return {
    name,
    async start() {
      await step('start');
      return [{ service: name, host: '127.0.0.1', port: 1 }];
    },
    drain: () => step('drain'),
    stop: () => step('stop'),
  };
}

function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

const never = new Promise<never>(() => {});

describe('a mail server', () => {
  it('starts in order, drains all at once, stops, and closes the stores in order', async () => {
    const log: string[] = [];
    const close = (name: string) => ({ close: async () => void log.push(`${name} close`) });
    const server = createMailServer({
      services: [noting(log, 'imap'), noting(log, 'smtp')],
      closeAfter: [close('directory'), close('store')],
      clock: fakeClock(),
    });
    assert.deepEqual(
      (await server.start()).map(({ service }) => service),
      ['imap', 'smtp'],
    );
    await server.stop();
    assert.deepEqual(log, [
      'imap start',
      'smtp start',
      'imap drain',
      'smtp drain',
      'imap stop',
      'smtp stop',
      'directory close',
      'store close',
    ]);
  });

  it('is not half started: what was open is closed again, in reverse order, and the error is thrown', async () => {
    const log: string[] = [];
    const failure = Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
    const server = createMailServer({
      services: [
        noting(log, 'imap'),
        noting(log, 'smtp', { start: Promise.reject(failure) }),
        noting(log, 'pop3'),
      ],
      closeAfter: [{ close: () => void log.push('store close') }],
      clock: fakeClock(),
    });
    await assert.rejects(server.start(), { code: 'EADDRINUSE' });
    assert.deepEqual(log, ['imap start', 'smtp start', 'smtp stop', 'imap stop']);
    // The stores are still the caller's to close, by way of stop.
    await server.stop();
    assert.deepEqual(log.slice(4), ['store close']);
  });

  it('may be started again after a failed start', async () => {
    const log: string[] = [];
    let fails = true;
    const service = noting(log, 'imap');
    const start = async () => {
      if (fails) throw new Error('in use');
      return service.start();
    };
    const server = createMailServer({ services: [{ ...service, start }], clock: fakeClock() });
    await assert.rejects(server.start(), /in use/);
    fails = false;
    assert.equal((await server.start()).length, 1);
    await server.stop();
  });

  it('drains no longer than it may', async () => {
    const log: string[] = [];
    const clock = fakeClock();
    const server = createMailServer({
      services: [noting(log, 'imap', { drain: never })],
      drainTime: 5000,
      clock,
    });
    await server.start();
    let ended = false;
    const stopped = server.stop().then(() => (ended = true));
    await clock.advance(4999);
    assert.equal(ended, false);
    assert.ok(!log.includes('imap stop'));
    await clock.advance(1);
    await stopped;
    assert.ok(log.includes('imap stop'));
  });

  it('waits no longer than draining takes, and leaves no timer', async () => {
    const clock = fakeClock();
    const { open, opened } = gate();
    const server = createMailServer({ services: [noting([], 'imap', { drain: opened })], clock });
    await server.start();
    const stopped = server.stop();
    await turn();
    assert.equal(clock.pending, 1);
    open();
    await stopped;
    assert.equal(clock.pending, 0);
  });

  it('stopped while it starts, it finishes what it was opening and closes it again', async () => {
    const log: string[] = [];
    const { open, opened } = gate();
    const server = createMailServer({
      services: [noting(log, 'imap', { start: opened }), noting(log, 'smtp')],
      closeAfter: [{ close: () => void log.push('store close') }],
      clock: fakeClock(),
    });
    const started = assert.rejects(server.start(), /stopped while it was starting/);
    const stopped = server.stop();
    await turn();
    assert.deepEqual(log, ['imap start']);
    open();
    await started;
    await stopped;
    assert.deepEqual(log, ['imap start', 'imap stop', 'store close']);
  });

  it('stops once, however often it is told to', async () => {
    const log: string[] = [];
    const server = createMailServer({ services: [noting(log, 'imap')], clock: fakeClock() });
    await server.start();
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    assert.deepEqual(log, ['imap start', 'imap drain', 'imap stop']);
  });

  it('is started once, and not after its end', async () => {
    const server = createMailServer({ services: [noting([], 'imap')], clock: fakeClock() });
    await server.start();
    await assert.rejects(server.start(), { name: 'TypeError' });
    await server.stop();
    await assert.rejects(server.start(), { name: 'TypeError' });
  });

  it('stopped without having been started, it closes the stores', async () => {
    const log: string[] = [];
    const server = createMailServer({
      services: [noting(log, 'imap')],
      closeAfter: [{ close: () => void log.push('store close') }],
      clock: fakeClock(),
    });
    await server.stop();
    assert.deepEqual(log, ['store close']);
  });

  it('closes every store and stops every service, whatever fails, and then says what did', async () => {
    const log: string[] = [];
    const server = createMailServer({
      services: [
        {
          ...noting(log, 'imap'),
          drain: () => {
            throw new Error('drain');
          },
        },
        noting(log, 'smtp', { stop: Promise.reject(new Error('stop')) }),
      ],
      closeAfter: [
        {
          close: () => {
            throw new Error('at once');
          },
        },
        { close: () => Promise.reject(new Error('later')) },
        { close: () => void log.push('store close') },
      ],
      clock: fakeClock(),
    });
    await server.start();
    const error = await server.stop().then(
      () => assert.fail('no error'),
      (thrown: AggregateError) => thrown,
    );
    assert.ok(error instanceof AggregateError);
    assert.deepEqual(
      error.errors.map(({ message }: Error) => message),
      ['drain', 'stop', 'at once', 'later'],
    );
    assert.deepEqual(log, [
      'imap start',
      'smtp start',
      'smtp drain',
      'imap stop',
      'smtp stop',
      'store close',
    ]);
  });
});
