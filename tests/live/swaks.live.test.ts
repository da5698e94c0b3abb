/** swaks, the tool that operators try a server with. */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { itWith, run, succeed } from './programs.ts';
import { messagesOf, password, startServer, user, type LiveServer } from './server.ts';

describe('swaks', () => {
  let server: LiveServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.stop());
  const it = itWith('swaks');

  const to = (port: number, ...more: string[]) => [
    '--server',
    'localhost',
    '--port',
    String(port),
    '--from',
    user,
    '--to',
    user,
    ...more,
  ];
  // Its certificate check knows no names (version 20201014), but it does know the authority.
  const trusted = () => ['--tls-verify', '--tls-ca-path', server.caFile];
  const login = ['--auth-user', user, '--auth-password', password];

  async function arrived(subject: string): Promise<boolean> {
    const messages = await messagesOf(await server.imap(), 'INBOX');
    return messages.some((message) => message.includes(`Subject: ${subject}\r\n`));
  }

  it('delivers to the MX, in the clear and after STARTTLS', async () => {
    await succeed('swaks', to(server.ports.mx, '--header', 'Subject: clear'));
    await succeed(
      'swaks',
      to(server.ports.mx, '--tls', ...trusted(), '--header', 'Subject: starttls'),
    );
    expect(await arrived('clear')).toBe(true);
    expect(await arrived('starttls')).toBe(true);
  });

  for (const mechanism of ['PLAIN', 'LOGIN']) {
    it(`submits after STARTTLS with AUTH ${mechanism}`, async () => {
      const auth = ['--auth', mechanism, ...login];
      const subject = ['--header', `Subject: auth ${mechanism}`];
      await succeed(
        'swaks',
        to(server.ports.submission, '--tls', ...trusted(), ...auth, ...subject),
      );
      expect(await arrived(`auth ${mechanism}`)).toBe(true);
    });
  }

  it('submits over TLS from the first octet', async () => {
    const tls = ['--tls-on-connect', ...trusted(), '--auth', 'PLAIN', ...login];
    const subject = ['--header', 'Subject: implicit'];
    await succeed('swaks', to(server.ports.submissions, ...tls, ...subject));
    expect(await arrived('implicit')).toBe(true);
  });

  it('hands over by LMTP', async () => {
    const lmtp = ['--protocol', 'LMTP', '--header', 'Subject: by lmtp'];
    await succeed('swaks', to(server.ports.lmtp, ...lmtp));
    expect(await arrived('by lmtp')).toBe(true);
  });

  it('is told that there is no such user, and leaves after RCPT', async () => {
    const { stdout } = await run('swaks', [
      '--server',
      'localhost',
      '--port',
      String(server.ports.mx),
      '--from',
      user,
      '--to',
      'nobody@example.test',
    ]);
    expect(stdout).toMatch(/<\*\* 550 5\.1\.1 /);
    expect(stdout).toMatch(/<- +221 /);
  });

  it('may neither log in without TLS nor relay without a login', async () => {
    const auth = ['--auth', 'PLAIN', ...login];
    const refused = await run('swaks', to(server.ports.submission, ...auth));
    expect(refused.code).not.toBe(0);
    const relayed = await run('swaks', [
      '--server',
      'localhost',
      '--port',
      String(server.ports.mx),
      '--from',
      user,
      '--to',
      'somebody@elsewhere.test',
    ]);
    expect(relayed.stdout).toMatch(/<\*\* 550 5\.7\.1 /);
  });
});
