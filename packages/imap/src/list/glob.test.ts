import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { glob } from './glob.ts';

describe('a LIST pattern', () => {
  it('has * for anything and % for anything within a level', () => {
    const table: [string, string[], string[]][] = [
      ['*', ['', 'a', 'a/b'], []],
      ['%', ['', 'a', 'b c'], ['a/b']],
      ['%/%', ['a/b', '/'], ['a', 'a/b/c']],
      ['a*c', ['ac', 'abc', 'a/b/c'], ['a', 'abcd']],
      ['a%c', ['ac', 'abc'], ['a/c']],
      ['a/%', ['a/', 'a/b'], ['a', 'a/b/c']],
      ['*%*', ['a/b'], []],
      ['%b*', ['b', 'ab/c', 'abb'], ['a/b']],
      ['abc', ['abc'], ['ab', 'abcd', 'ABC']],
      ['a.c', ['a.c'], ['abc']],
    ];
    for (const [pattern, fits, not] of table) {
      for (const name of fits) assert.ok(glob(pattern)(name), `${pattern} ${name}`);
      for (const name of not) assert.ok(!glob(pattern)(name), `${pattern} ${name}`);
    }
  });

  it('is what the regular expression of the same meaning is', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '%'), maxLength: 6 });
    fc.assert(
      fc.property(pattern, text, (wild, name) => {
        const source = wild.replace(/\*/g, '.*').replace(/%/g, '[^/]*');
        assert.equal(glob(wild)(name), new RegExp(`^${source}$`, 's').test(name));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes no more time for many wildcards', () => {
    const fits = glob('%a*'.repeat(300));
    const start = performance.now();
    assert.ok(!fits(`${'a'.repeat(290)}b`));
    assert.ok(performance.now() - start < 1000);
  });
});
