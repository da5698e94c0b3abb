import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ImapFlow } from 'imapflow';
import { createTransport } from 'nodemailer';
import { afterEach, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = readFileSync(new URL('main.ts', import.meta.url), 'utf8');
let ending = () => {};
afterEach(() => ending());

/** Runs the example in an empty folder, on ports that are free; twice in the same folder is a restart. */
async function run(folder: string) {
  writeFileSync(join(folder, 'main.ts'), source.replace(/port: \d+/g, 'port: 0'));
  const child = spawn(
    process.execPath,
    ['--conditions=@mail-server-kit/source', '--import', 'tsx', 'main.ts'],
    { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  ending = () => child.kill('SIGKILL');
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const ports = await new Promise<number[]>((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes(']')) resolve([...said.matchAll(/port: (\d+)/g)].map((m) => Number(m[1])));
    });
    child.on('close', () => reject(new Error(`it ended, having said ${said}`)));
  });
  return { smtp: ports[0] as number, imaps: ports[1] as number, child, ended };
}

it('the 25 lines receive a mail, show it, end when told to, and have it after a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'minimal-'));
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    const first = await run(folder);
    await createTransport({ host: '127.0.0.1', port: first.smtp, ignoreTLS: true }).sendMail({
      from: 'you@example.net',
      to: 'user@example.test',
      subject: 'Hello',
      text: 'It works',
    });
    first.child.kill();
    expect(await first.ended).toBe(0);

    const second = await run(folder);
    const client = new ImapFlow({
      host: 'localhost',
      port: second.imaps,
      secure: true,
      tls: { ca: readFileSync(join(folder, 'tls/ca.pem')) },
      auth: { user: 'user@example.test', pass: 'secret' },
      logger: false,
    });
    await client.connect();
    await client.mailboxOpen('INBOX');
    const message = await client.fetchOne('*', { envelope: true, bodyParts: ['TEXT'] });
    expect(message && message.envelope?.subject).toBe('Hello');
    expect(message && message.bodyParts?.get('text')?.toString()).toBe('It works\r\n');
    await client.logout();
    second.child.kill();
    expect(await second.ended).toBe(0);
  } finally {
    ending();
    rmSync(folder, { recursive: true, force: true });
  }
});

it('they are the lines of the main README', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(`\`\`\`ts\n${source}\`\`\`\n`);
});
