/** `npm start`, with real child processes: what it says, what it refuses, and how it ends. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import 'reflect-metadata';
import { PemConverter, X509CertificateGenerator } from '@peculiar/x509';
import { ImapFlow } from 'imapflow';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ownCertificateAuthority } from '@mail-server-kit/tls';
import { cleanUp, freePorts, startProvider, temporaryFolder } from './provider.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });
afterEach(cleanUp);

const host = '127.0.0.1';

async function logIn(port: number, user: string, pass: string): Promise<'in' | 'refused'> {
  const client = new ImapFlow({
    host,
    port,
    secure: true,
    tls: { rejectUnauthorized: false },
    auth: { user, pass },
    logger: false,
  });
  try {
    await client.connect();
    await client.logout();
    return 'in';
  } catch (error) {
    if ((error as { authenticationFailed?: boolean }).authenticationFailed) return 'refused';
    throw error;
  }
}

/** A client that says a line and waits for the first one of the answer that `wanted` matches. */
async function dial(port: number) {
  const socket: Socket = connect(port, host);
  let heard = '';
  const listeners = new Set<() => void>();
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1');
    for (const listener of listeners) listener();
  });
  socket.on('error', () => {});
  const hear = (wanted: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const listener = () => {
        const found = wanted.exec(heard);
        if (!found) return;
        heard = heard.slice(found.index + found[0].length);
        listeners.delete(listener);
        resolve(found[0]);
      };
      listeners.add(listener);
      socket.on('close', () => reject(new Error(`closed, having said ${heard}`)));
      listener();
    });
  const say = (line: string, wanted: RegExp) => {
    socket.write(`${line}\r\n`);
    return hear(wanted);
  };
  await hear(/^220 .*\r\n/m);
  return { socket, say, hear };
}

/** Everything up to the end of the message; the end is the caller's. */
async function halfADelivery(port: number, address: string) {
  const client = await dial(port);
  await client.say('EHLO client.test', /^250 .*\r\n/m);
  await client.say('MAIL FROM:<you@example.net>', /^250 .*\r\n/m);
  await client.say(`RCPT TO:<${address}>`, /^250 .*\r\n/m);
  await client.say('DATA', /^354 .*\r\n/m);
  client.socket.write('From: <you@example.net>\r\nSubject: Half\r\n\r\n');
  return client;
}

async function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.on('connect', () => (socket.destroy(), resolve(true)));
    socket.on('error', () => resolve(false));
  });
}

describe('a start', () => {
  it('says where it listens, and that in a last line which scripts can read', async () => {
    const data = join(temporaryFolder(), 'data');
    const without = freePorts.with(freePorts.indexOf('--lmtp') + 1, 'off');
    const provider = startProvider(['--data', data, ...without]);
    const ports = await provider.ready();
    expect(Object.keys(ports).sort()).toEqual([
      'imap',
      'imaps',
      'smtp',
      'submission',
      'submissions',
    ]);
    for (const port of Object.values(ports)) expect(await isOpen(port)).toBe(true);
    const lines = provider.said().split('\n');
    expect(lines.filter((line) => line.startsWith('ready '))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('pop3'))).toEqual([
      'not there yet, so nothing listens: pop3, pop3s, http, https',
    ]);
  });

  it('makes an account and shows its password once', async () => {
    const args = ['--data', temporaryFolder(), ...freePorts];
    const first = startProvider(args);
    const { imaps = 0 } = await first.ready();
    const password = /user@example\.test {2}password (\S+) /.exec(first.said())?.[1] ?? '';
    expect(password).toMatch(/^[a-z0-9]{5}(-[a-z0-9]{5}){3}$/);
    expect(await logIn(imaps, 'user@example.test', password)).toBe('in');
    first.child.kill();
    expect(await first.ended).toMatchObject({ code: 0, signal: null });

    const second = startProvider(args);
    const ports = await second.ready();
    expect(second.said()).not.toContain(password);
    expect(second.said()).toContain('account      user@example.test  exists;');
    expect(await logIn(ports['imaps'] ?? 0, 'user@example.test', password)).toBe('in');
  });

  it('gives an account that exists the given password', async () => {
    const args = ['--data', temporaryFolder(), ...freePorts];
    const first = startProvider([
      ...args,
      '--account',
      'joe@my.test:first',
      '--account',
      'ann@my.test:x',
    ]);
    await first.ready();
    first.child.kill();
    await first.ended;

    const second = startProvider([...args, '--account', 'joe@my.test:second']);
    const { imaps = 0 } = await second.ready();
    expect(await logIn(imaps, 'joe@my.test', 'first')).toBe('refused');
    expect(await logIn(imaps, 'joe@my.test', 'second')).toBe('in');
    expect(await logIn(imaps, 'ann@my.test', 'x')).toBe('in');
  });

  it('uses the given certificates, each for its names', async () => {
    const folder = temporaryFolder();
    const flags: string[] = [];
    for (const name of ['one.test', 'two.test']) {
      const authority = await ownCertificateAuthority({
        directory: join(folder, name),
        names: [name],
      });
      authority.close();
      const file = (end: string) => join(folder, name, `server${end}.pem`);
      flags.push('--tls-cert', file(''), '--tls-key', file('-key'));
    }
    const provider = startProvider(['--data', join(folder, 'data'), ...freePorts, ...flags]);
    const { imaps = 0 } = await provider.ready();
    for (const servername of ['one.test', 'two.test']) {
      const socket = connectTls({ port: imaps, host, servername, rejectUnauthorized: false });
      await new Promise((resolve, reject) =>
        socket.on('secureConnect', resolve).on('error', reject),
      );
      expect(socket.getPeerCertificate().subjectaltname).toBe(`DNS:${servername}`);
      socket.destroy();
    }
    expect(existsSync(join(folder, 'data/tls'))).toBe(false);
  });

  it('says that a certificate has no host name, and shows no line that would refuse it', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'server.pem');
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const made = await X509CertificateGenerator.createSelfSigned(
      { name: 'CN=mail.my.test', keys, signingAlgorithm: algorithm },
      crypto,
    );
    const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
    writeFileSync(file, made.toString('pem'));
    writeFileSync(`${file}.key`, PemConverter.encode(key, 'PRIVATE KEY'));
    const pair = ['--tls-cert', file, '--tls-key', `${file}.key`];
    const provider = startProvider(['--data', join(folder, 'data'), ...freePorts, ...pair]);
    await provider.ready();
    expect(provider.said()).toContain(`certificate  ${file} has no host name`);
    expect(provider.said()).not.toContain('curl');
  });

  describe('shows lines that work when they are pasted', () => {
    const missing = ['swaks', 'curl'].filter((tool) => !isInstalled(tool));
    const required = process.env['MAIL_KIT_REQUIRE_CLIENTS'] === '1';

    async function paste(args: readonly string[]): Promise<void> {
      const provider = startProvider(args);
      await provider.ready();
      const lines = provider.said().split('\n');
      const steps = lines.filter((line) => /^ {2}(swaks|curl) /.test(line));
      expect(steps).toHaveLength(2);
      const [sent, read] = [await shell(steps[0] ?? ''), await shell(steps[1] ?? '')];
      expect(sent).toContain('<-  250 2.');
      expect(read).toContain('Subject: Hello\r\n');
      expect(read).toContain('It works\r\n');
    }

    it('with names that a shell would misunderstand', async ({ skip }) => {
      skip(missing.length > 0 && !required, `${missing.join()} is not installed`);
      const folder = join(temporaryFolder(), "with a space and a '");
      const account = `o'hara@example.test:it's "a" $secret`;
      await paste(['--data', folder, ...freePorts, '--account', account]);
    });

    it('with a certificate for other names, LMTP and STARTTLS', async ({ skip }) => {
      skip(missing.length > 0 && !required, `${missing.join()} is not installed`);
      const folder = temporaryFolder();
      const authority = await ownCertificateAuthority({ directory: folder, names: ['*.my.test'] });
      authority.close();
      const certificate = [
        '--tls-cert',
        `${folder}/server.pem`,
        '--tls-key',
        `${folder}/server-key.pem`,
      ];
      const off = [
        '--smtp',
        'off',
        '--imaps',
        'off',
        '--submission',
        'off',
        '--submissions',
        'off',
      ];
      const on = [
        '--lmtp',
        '0',
        '--imap',
        '0',
        '--host',
        '0.0.0.0',
        '--account',
        'joe@my.test:secret',
      ];
      await paste(['--data', join(folder, 'data'), ...off, ...on, ...certificate]);
    });
  });
});

function isInstalled(tool: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, tool)));
}

function shell(line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', line], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${line}\n${output}`)),
    );
  });
}

describe('what cannot start says why in one line, exits 1 and leaves nothing behind', () => {
  async function complaint(args: readonly string[], options?: { uid: number }): Promise<string> {
    const provider = startProvider(args, options);
    const { code, stdout, stderr } = await provider.ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.split('\n')).toHaveLength(2);
    return stderr.trimEnd();
  }

  it('a second one on the same data names the process that has it', async () => {
    const args = ['--data', temporaryFolder(), ...freePorts];
    const first = startProvider(args);
    const { imaps = 0 } = await first.ready();
    expect(await complaint(args)).toContain(`process ${first.child.pid}`);
    expect(await isOpen(imaps)).toBe(true);
  });

  it('a port in use', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, host, resolve));
    const { port } = other.address() as AddressInfo;
    const args = ['--data', temporaryFolder(), ...freePorts];
    const at = args.indexOf('--lmtp') + 1;
    expect(await complaint(args.with(at, `${port}`))).toBe(
      `mail-server-kit: 127.0.0.1:${port} is in use by another program; --lmtp PORT chooses another port, 0 any free one`,
    );
    other.close();
    // Neither a lock nor an account whose password nobody saw is left.
    const again = startProvider(args);
    await again.ready();
    expect(again.said()).toContain('(shown only now)');
  });

  it('an address of another machine', async () => {
    const args = ['--data', temporaryFolder(), ...freePorts, '--host', '192.0.2.1'];
    expect(await complaint(args)).toBe(
      'mail-server-kit: --host 192.0.2.1 is no address of this machine',
    );
  });

  it('a flag that does not exist', async () => {
    const data = join(temporaryFolder(), 'data');
    expect(await complaint(['--data', data, '--smpt', '0'])).toBe(
      'mail-server-kit: there is no flag --smpt; did you mean --smtp?; --help lists them all',
    );
    expect(existsSync(data)).toBe(false);
  });

  it('a certificate that is not there', async () => {
    const folder = temporaryFolder();
    const missing = join(folder, 'no.pem');
    const args = [
      '--data',
      join(folder, 'data'),
      ...freePorts,
      '--tls-cert',
      missing,
      '--tls-key',
      missing,
    ];
    expect(await complaint(args)).toContain(missing);
    expect(existsSync(join(folder, 'data/mail'))).toBe(false);
  });

  it('a data directory below a file', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    expect(await complaint(['--data', join(file, 'data'), ...freePorts])).toBe(
      `mail-server-kit: ${join(file, 'data')}: a part of the path is a file, not a directory`,
    );
  });

  it.skipIf(process.getuid?.() !== 0)(
    'a data directory that this user may not write to (needs root to become another user)',
    async () => {
      const folder = temporaryFolder();
      mkdirSync(join(folder, 'data'), { mode: 0o755 });
      expect(
        await complaint(['--data', join(folder, 'data'), ...freePorts], { uid: 65_534 }),
      ).toContain('this user may not write there');
      expect(readdirSync(join(folder, 'data'))).toEqual([]);
    },
  );
});

describe('npm start ends', () => {
  it.each([
    ['npm alone', (pid: number) => process.kill(pid, 'SIGTERM')],
    ['the whole process group', (pid: number) => process.kill(-pid, 'SIGTERM')],
    ['the whole process group, by Ctrl-C', (pid: number) => process.kill(-pid, 'SIGINT')],
  ])('with 0 once the signal reaches %s, and nothing is left running', async (_, kill) => {
    const args = ['--data', temporaryFolder(), ...freePorts, '--account', 'joe@my.test:secret'];
    const provider = startProvider(args, { way: 'npm', detached: true });
    const ports = await provider.ready();
    kill(provider.child.pid as number);
    expect(await provider.ended).toMatchObject({ code: 0, signal: null });
    for (const port of Object.values(ports)) expect(await isOpen(port)).toBe(false);
    const again = startProvider(args);
    await again.ready();
  });

  it('with 0 also when the signal comes before it is ready, and gives the store back', async () => {
    const data = temporaryFolder();
    const args = ['--data', data, ...freePorts];
    const provider = startProvider(args);
    await vi.waitUntil(() => existsSync(join(data, 'mail/lock')), { timeout: 30_000, interval: 2 });
    provider.child.kill();
    expect(await provider.ended).toMatchObject({ code: 0, signal: null });
    expect(existsSync(join(data, 'mail/lock'))).toBe(false);
  });

  it.skipIf(process.platform !== 'linux')(
    'with 0 when its sources are not even read (needs /proc to see that the reading has begun)',
    async () => {
      const data = join(temporaryFolder(), 'data');
      const provider = startProvider(['--data', data, ...freePorts], { way: 'script' });
      const children = `/proc/${provider.child.pid}/task/${provider.child.pid}/children`;
      const begun = () => readFileSync(children, 'utf8') !== '';
      await vi.waitUntil(begun, { timeout: 30_000, interval: 2 });
      provider.child.kill();
      expect(await provider.ended).toMatchObject({ code: 0, signal: null, stdout: '' });
      expect(existsSync(data)).toBe(false);
    },
  );

  it('after the delivery that is under way', async () => {
    const args = ['--data', temporaryFolder(), ...freePorts, '--account', 'joe@my.test:secret'];
    const provider = startProvider(args);
    const ports = await provider.ready();
    const delivery = await halfADelivery(ports['smtp'] ?? 0, 'joe@my.test');
    provider.child.kill();
    await provider.complained('stopping');
    expect(await delivery.say('The other half\r\n.', /^250 .*\r\n/m)).toContain('250 2.');
    expect(await provider.ended).toMatchObject({ code: 0, signal: null });
  });

  it('at once when told a second time', async () => {
    const args = ['--data', temporaryFolder(), ...freePorts, '--account', 'joe@my.test:secret'];
    const provider = startProvider(args);
    const ports = await provider.ready();
    await halfADelivery(ports['smtp'] ?? 0, 'joe@my.test');
    const begin = performance.now();
    provider.child.kill();
    await provider.complained('stopping');
    // Signals of one Ctrl-C may come several times within half a second; this one is meant.
    await new Promise((resolve) => setTimeout(resolve, 700));
    provider.child.kill();
    expect(await provider.ended).toMatchObject({ code: 0, signal: null });
    expect(performance.now() - begin).toBeLessThan(5000);
  });
});

it('--help explains every flag and starts nothing', async () => {
  const { code, stdout, stderr } = await startProvider(['--help']).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('--submissions PORT');
});
