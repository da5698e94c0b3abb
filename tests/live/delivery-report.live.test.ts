/** Nodemailer asks to hear of a delivery, and an IMAP client reads the report. */
import { readFileSync } from 'node:fs';
import { simpleParser } from 'mailparser';
import nodemailer from 'nodemailer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { messagesOf, password, startServer, user, type LiveServer } from './server.ts';

describe('a delivery report', () => {
  let server: LiveServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.stop());

  it('is in the INBOX of the sender when the message is accepted', async () => {
    const transport = nodemailer.createTransport({
      host: 'localhost',
      port: server.ports.submission,
      requireTLS: true,
      auth: { user, pass: password },
      tls: { ca: readFileSync(server.caFile) },
    });
    const { messageId } = await transport.sendMail({
      from: user,
      to: user,
      subject: 'Lunch',
      text: 'At noon?',
      dsn: {
        id: 'lunch 1',
        return: 'headers',
        notify: ['success', 'failure'],
        recipient: 'rfc822;user@example.test',
      },
    });
    transport.close();

    const client = await server.imap();
    const [message, report, ...more] = await messagesOf(client, 'INBOX');
    expect(message?.toString()).toContain('\r\nSubject: Lunch\r\n');
    expect(more).toEqual([]);
    const { subject, inReplyTo, text } = await simpleParser(report ?? '');
    expect([subject, inReplyTo]).toEqual(['Your message was delivered', messageId]);
    expect(text).toContain(`Your message is in the mailbox of:\n\n    ${user}\n`);

    const found = await client.fetchOne('2', { bodyStructure: true, bodyParts: ['2', '3'] });
    if (!found) throw new Error('no second message');
    const part = (number: string) => found.bodyParts?.get(number)?.toString();
    expect(part('2')).toMatch(/^Original-Envelope-Id: lunch 1\r\nReporting-MTA: /);
    expect(part('2')).toContain(
      `Original-Recipient: rfc822; ${user}\r\nFinal-Recipient: rfc822; ${user}\r\nAction: delivered\r\n`,
    );
    expect(part('3')).toContain('Subject: Lunch\r\n');
    expect(found.bodyStructure).toMatchObject({
      type: 'multipart/report',
      parameters: { 'report-type': 'delivery-status' },
      childNodes: [
        { type: 'text/plain' },
        { type: 'message/delivery-status' },
        { type: 'text/rfc822-headers' },
      ],
    });
  });
});
