import assert from 'node:assert/strict';
import { createServer, connect, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createInterface } from 'node:readline';
import { describe, it } from 'vitest';
import { duplexPair } from './duplex-pair.ts';
import { transcript } from './transcript.ts';

/** Answers `echo X` with X, `say X` with X to everybody, `quit` by closing. */
function echoServer() {
  const clients = new Set<Duplex>();
  function serve(stream: Duplex): void {
    clients.add(stream);
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
      if (line === 'quit') stream.end('bye\r\n');
      if (line.startsWith('echo ')) stream.write(`${line.slice(5)}\r\n`);
      if (line.startsWith('say '))
        for (const client of clients) client.write(`${line.slice(4)}\r\n`);
    });
  }
  return {
    serve,
    connect(): Duplex {
      const [ours, theirs] = duplexPair();
      serve(theirs);
      return ours;
    },
  };
}

describe('a transcript', () => {
  it('is what one client and the server say', async () => {
    const talk = transcript(echoServer().connect());
    await talk`
      C: echo \Seen is no escape, nor are \r\n, but \`these\` and \${this} are

      S: \Seen is no escape, nor are \r\n, but \`these\` and \${this} are
      C: echo ${'Grüße'} and ${42} ${Buffer.from('\x07')}
      S: Grüße and 42 ${Buffer.from([7])}
      C: echo ${''}
      S:
    `;
    await talk`
      C: quit
      S: bye`;
    await talk.closed();
  });

  it('is what several clients and the server say, connected when first mentioned', async () => {
    const server = echoServer();
    let made = 0;
    const connection = () => (made++, server.connect());
    const talk = transcript({
      1: server.connect(),
      2: async () => connection(),
      Alice: connection,
    });
    await talk`
      C2: echo first
      S2: first
      CAlice: echo second
      SAlice: second
      C1: say hello
      S2: hello
      SAlice: hello
      S1: hello`;
    assert.equal(made, 2);
  });

  it('works over a socket, and with more than fits into buffers', async () => {
    const server = createServer((socket) => echoServer().serve(socket)).listen(0, '127.0.0.1');
    try {
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      const talk = transcript(() => connect(port, '127.0.0.1'));
      const long = Buffer.alloc(1_000_000, 'x');
      await talk`
        C: echo ${long}!
        S: ${long}!
        C: quit
        S: bye`;
      await talk.closed();
    } finally {
      server.close();
    }
  });

  it('sends half lines', async () => {
    const talk = transcript(echoServer().connect());
    await talk.send('', 'ec');
    await talk.send('', Buffer.from('ho '));
    await talk`
      C: abc
      S: abc`;
  });

  it('goes on over another stream', async () => {
    const server = echoServer();
    const talk = transcript({ 1: server.connect() });
    await talk`
      C1: echo plain
      S1: plain`;
    let wrapped = 0;
    await talk.swap('1', (stream) => (wrapped++, stream));
    await talk`
      C1: echo sealed
      S1: sealed`;
    assert.equal(wrapped, 1);
  });
});

describe('a transcript fails', () => {
  async function failure(promise: Promise<void>): Promise<string> {
    try {
      await promise;
    } catch (error) {
      assert.ok(error instanceof assert.AssertionError, String(error));
      return error.message;
    }
    return assert.fail('it did not fail');
  }

  it('at the first other octet, and shows what was said, expected and received', async () => {
    const talk = transcript({ 1: echoServer().connect() });
    const message = await failure(talk`
      C1: echo one
      S1: one
      C1: echo two
      S1: three`);
    assert.equal(
      message,
      `transcript: received something else than expected
    C1: echo one
    S1: one
    C1: echo two
  - S1: three
  + S1: two
  (- expected, + received)`,
    );
  });

  it('if a client received more than was expected', async () => {
    const talk = transcript({ 1: echoServer().connect() });
    const message = await failure(talk`
      C1: echo one
      C1: echo two
      S1: one`);
    assert.match(message, /received more than expected/);
    assert.match(message, /\+ S1: two/);
  });

  it('if the connection closes early', async () => {
    const talk = transcript(echoServer().connect());
    const message = await failure(talk`
      C: quit
      S: bye
      S: for ever`);
    assert.match(message, /the connection was closed/);
  });

  it('after a silence, with what was received so far', async () => {
    const talk = transcript(echoServer().connect(), { silence: 20 });
    const message = await failure(talk`
      C: echo a
      S: ab`);
    assert.match(message, /something else/);
    const other = transcript(echoServer().connect(), { silence: 20 });
    assert.match(
      await failure(other`
        C: nonsense
        S: ok`),
      /heard nothing for 20 ms/,
    );
  });

  it('if the connection stays open though it should be closed', async () => {
    const open = transcript(echoServer().connect(), { silence: 20 });
    assert.match(await failure(open.closed()), /heard nothing/);
  });

  it('for a line that nobody says and for a client that nobody gave', async () => {
    const talk = transcript({ 1: echoServer().connect() });
    await assert.rejects(talk`hello`, { name: 'TypeError', message: /begins with "C: " or "S: "/ });
    await assert.rejects(talk`C2: hello`, { name: 'TypeError', message: /no C2: S2: but C1: S1:/ });
  });
});
