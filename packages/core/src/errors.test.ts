import assert from 'node:assert/strict';
import { describe, it } from 'vitest';
import { isMailError, MailError, type Reason } from './errors.ts';

describe('MailError', () => {
  it.each<[Reason, string, number, string]>([
    ['NONEXISTENT', 'NONEXISTENT', 550, '5.1.1'],
    ['OVERQUOTA', 'OVERQUOTA', 452, '4.2.2'],
    ['FULL', 'OVERQUOTA', 452, '4.3.1'],
    ['TOOBIG', 'TOOBIG', 552, '5.3.4'],
    ['AUTHENTICATIONFAILED', 'AUTHENTICATIONFAILED', 535, '5.7.8'],
    ['UNAVAILABLE', 'UNAVAILABLE', 451, '4.3.0'],
    ['UNKNOWN', 'UNAVAILABLE', 451, '4.3.0'],
  ])('%s is said as IMAP and SMTP say it', (code, imap, reply, enhanced) => {
    const error = new MailError(code, 'text');
    assert.equal(error.imap, imap);
    assert.deepEqual(error.smtp, [reply, enhanced]);
  });

  it('says its text to the client and keeps the cause for the operator', () => {
    const cause = new Error('disk 3');
    const error = new MailError('CORRUPTION', 'Damaged', { cause, write: 2 });
    assert.equal(error.message, 'Damaged');
    assert.equal(error.cause, cause);
    assert.equal(error.write, 2);
    assert.equal(String(error), 'MailError: Damaged');
    assert.equal('cause' in new MailError('CORRUPTION', 'Damaged'), false);
  });
});

describe('isMailError', () => {
  it('knows one of another build by its name and code', () => {
    const other = Object.assign(new Error('text'), { name: 'MailError', code: 'LIMIT' });
    assert.equal(isMailError(other), true);
    assert.equal(isMailError(other, 'TOOBIG', 'LIMIT'), true);
    assert.equal(isMailError(other, 'TOOBIG'), false);
  });

  it.each([
    ['another error', new Error('x')],
    ['a code that is none', Object.assign(new Error('x'), { name: 'MailError', code: 'EIO' })],
    [
      'a code that every object has',
      Object.assign(new Error('x'), { name: 'MailError', code: 'toString' }),
    ],
    ['no code', Object.assign(new Error('x'), { name: 'MailError' })],
    ['no error', { name: 'MailError', code: 'LIMIT' }],
    ['nothing', undefined],
  ])('is not deceived by %s', (_, value) => {
    assert.equal(isMailError(value), false);
  });
});
