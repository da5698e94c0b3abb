import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { parseDate, parseDateTime, printDateTime } from './date.ts';

describe('date-time', () => {
  it('is read with its zone', () => {
    assert.deepEqual(parseDateTime('17-Jul-1996 02:44:25 -0700'), {
      time: Date.UTC(1996, 6, 17, 9, 44, 25),
      zone: -420,
    });
    assert.deepEqual(parseDateTime(' 1-jan-2026 23:59:60 +0530'), {
      time: Date.UTC(2026, 0, 1, 18, 30, 0),
      zone: 330,
    });
  });

  it('comes back as it was given', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 253_402_300_799 }),
        fc.integer({ min: -1439, max: 1439 }),
        (seconds, zone) => {
          const local = seconds + zone * 60;
          fc.pre(local >= 0 && local < 253_402_300_799);
          const value = { time: seconds * 1000, zone };
          assert.deepEqual(parseDateTime(printDateTime(value).slice(1, -1)), value);
        },
      ),
    );
  });

  it('is refused if it is not in the calendar or not in the form', () => {
    for (const text of [
      '30-Feb-2024 00:00:00 +0000',
      '1-Jan-2024 00:00:00 +0000',
      '01-Jan-2024 24:00:00 +0000',
      '01-Foo-2024 00:00:00 +0000',
      '01-Jan-2024 00:00:00 *0000',
      '01-Jan-2024 00:00:00 +000',
      '01-Jan-2024T00:00:00 +0000',
    ]) {
      assert.equal(parseDateTime(text), undefined, text);
    }
  });
});

describe('date', () => {
  it('has a day of one or two digits', () => {
    assert.equal(parseDate('1-Feb-1994'), Date.UTC(1994, 1, 1));
    assert.equal(parseDate('01-FEB-1994'), Date.UTC(1994, 1, 1));
    assert.equal(parseDate('29-Feb-2023'), undefined);
    assert.equal(parseDate('1-Feb-94'), undefined);
    assert.equal(parseDate('1-Feb-1994-1'), undefined);
  });
});
