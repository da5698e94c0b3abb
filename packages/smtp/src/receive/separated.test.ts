import { expect, it } from 'vitest';
import { parseAddress } from '@mail-server-kit/core';
import { fakeClock } from '@mail-server-kit/core/testing';
import { createSeparated } from './separated.ts';

it('who has to come alone is remembered for an hour, by sender and recipient in any letter case', async () => {
  const clock = fakeClock();
  const separated = createSeparated(clock);
  const [carl, anna, ANNA, bert] = [
    'carl@a.example',
    'anna@b.example',
    'Anna@B.example',
    'bert@b.example',
  ].map((text) => parseAddress(text)!);
  separated.add(carl, anna!);
  expect(separated.has(carl, ANNA!)).toBe(true);
  expect(separated.has(carl, bert!)).toBe(false);
  expect(separated.has(undefined, anna!)).toBe(false);
  await clock.advance(3_599_999);
  expect(separated.has(carl, anna!)).toBe(true);
  await clock.advance(1);
  expect(separated.has(carl, anna!)).toBe(false);
});
