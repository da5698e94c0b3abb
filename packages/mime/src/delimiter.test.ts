import { describe, expect, it } from 'vitest';
import { Boundaries } from './delimiter.ts';

const find = (line: string, ...boundaries: string[]) => {
  const open = new Boundaries();
  for (const [index, boundary] of boundaries.entries()) open.add(boundary, index);
  const found = open.find(line);
  return found && [found.index, found.isLast];
};

describe('Boundaries', () => {
  it.each<[string, string[], [number, boolean] | undefined]>([
    ['x', ['x'], [0, false]],
    ['x--', ['x'], [0, true]],
    ['x and more', ['x'], [0, false]],
    ['x-- and more', ['x'], [0, true]],
    ['y', ['x'], undefined],
    ['', ['x'], undefined],
    ['xy', ['x', 'xy'], [1, false]],
    ['xy', ['xy', 'x'], [0, false]],
    ['x', ['x', 'x'], [1, false]],
    ['x--', ['x--', 'x'], [1, true]],
    ['x--', ['x', 'x--'], [1, false]],
  ])('%j with %j open', (line, open, expected) => expect(find(line, ...open)).toEqual(expected));

  it('forgets the innermost of two of the same name first', () => {
    const open = new Boundaries();
    open.add('x', 0);
    open.add('x', 3);
    open.remove('x');
    expect(open.find('x')?.index).toBe(0);
    open.remove('x');
    expect(open.find('x')).toBeUndefined();
    expect(open.isEmpty).toBe(true);
  });
});
