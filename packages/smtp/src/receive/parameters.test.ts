import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeXtext, parsePathCommand } from './parameters.ts';

it.each([
  ['a+2Bb', 'a+b'],
  ['a+3Db', 'a=b'],
  ['+C3+A4', 'ä'],
  ['ä', 'ä'],
  ['', ''],
  ['+2b', undefined],
  ['+2', undefined],
  ['+', undefined],
  ['a=b', undefined],
  ['+00', undefined],
  ['+0D+0A', undefined],
  ['+C3', undefined],
])('xtext %j is %j', (text, wanted) => {
  expect(decodeXtext(text)).toBe(wanted);
});

it('a path may hold what would end it, within quotes', () => {
  expect(parsePathCommand('TO', 'TO:<"> \\" SIZE=1"@a.example> NOTIFY=NEVER x=y=z')).toEqual({
    path: '<"> \\" SIZE=1"@a.example>',
    parameters: [
      { keyword: 'NOTIFY', value: 'NEVER' },
      { keyword: 'X', value: 'y=z' },
    ],
  });
});

it('any text is read, in time', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 2000 }), (text) => {
      parsePathCommand('FROM', `FROM:<${text}`);
      parsePathCommand('FROM', text);
      decodeXtext(text);
    }),
  );
  const hostile = `FROM:<${'"\\'.repeat(1000)}`;
  expect(parsePathCommand('FROM', hostile)).toBeUndefined();
});
