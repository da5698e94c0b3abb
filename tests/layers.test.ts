import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { importsOf } from './imports.ts';
import { brokenLayers } from './layers.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

it('packages import only what lies below them, by its published name, and lists it', () => {
  expect(brokenLayers(root)).toEqual([]);
});

describe('the check', () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });

  /** A repository of two packages, core and imap, in which `source` is imap's only file. */
  function brokenBy(source: string, { path = 'imap/src/a.ts', dependencies = ['core'] } = {}) {
    const at = mkdtempSync(join(tmpdir(), 'layers-'));
    folders.push(at);
    const write = (name: string, text: string) => {
      mkdirSync(dirname(join(at, name)), { recursive: true });
      writeFileSync(join(at, name), text);
    };
    mkdirSync(join(at, 'examples'));
    for (const name of ['core', 'mime', 'imap', 'smtp']) {
      const listed = name === 'imap' ? dependencies : [];
      write(
        `packages/${name}/package.json`,
        JSON.stringify({
          name: `@kit/${name}`,
          exports: { '.': './index.js' },
          dependencies: Object.fromEntries(listed.map((each) => [`@kit/${each}`, '1'])),
        }),
      );
      write(`packages/${name}/src/index.ts`, '');
    }
    write(`packages/${path}`, source);
    return brokenLayers(at).map((line) => line.replace(/^packages\//, ''));
  }

  it('lets an import of a listed lower package, of the own files and of node: pass', () => {
    const fine = `import '@kit/core'; import './index.ts'; import 'node:fs';`;
    expect(brokenBy(fine)).toEqual([]);
  });

  it.each([
    ['upwards', `import '@kit/imap';`, 'core/src/a.ts', "'@kit/imap' is an import upwards"],
    ['a sibling', `import '@kit/smtp';`, 'imap/src/a.ts', "'@kit/smtp' is an import of a sibling"],
    [
      'what is not listed',
      `import 'left-pad';`,
      'imap/src/a.ts',
      "'left-pad' is not in the package's dependencies",
    ],
    [
      'a listed package by a path it does not export',
      `import '@kit/core/src/index.ts';`,
      'imap/src/a.ts',
      "'@kit/core/src/index.ts' reaches into the files of another package",
    ],
    [
      'a file of another package',
      `import '../../core/src/index.ts';`,
      'imap/src/a.ts',
      "'../../core/src/index.ts' reaches out of the package",
    ],
    ['a built-in', `import 'fs';`, 'imap/src/a.ts', "'fs' is a built-in without node:"],
    [
      'a built-in in a test',
      `import 'fs';`,
      'imap/src/a.test.ts',
      "'fs' is a built-in without node:",
    ],
  ])('objects to %s', (_, source, path, complaint) => {
    expect(brokenBy(source, { path })).toEqual([`${path}:1: ${complaint}`]);
  });

  it('objects to a dependency upwards that nobody imports yet', () => {
    expect(brokenBy('', { dependencies: ['core', 'smtp'] })).toEqual([
      'imap/package.json: depends on @kit/smtp',
    ]);
  });

  it('objects to a package that has no place', () => {
    expect(brokenBy('{"name":"@kit/misc"}', { path: 'misc/package.json' })).toEqual([
      'misc: stands in no layer',
    ]);
  });
});

it('imports are found in every form, and not in comments or strings', () => {
  const text = [
    `import a from 'a'; import type { B } from 'b'; export * from 'c';`,
    `import d = require('d');`,
    `type E = import('e').E;`,
    `await import('f'); require('g'); require.resolve('h'); import.meta.resolve('i');`,
    `// import 'no'`,
    `const text = "import 'no'"; resolve('no'); path.resolve('no');`,
  ].join('\n');
  expect(importsOf('x.ts', text).map(({ specifier, line }) => `${specifier}${line}`)).toEqual(
    'a1 b1 c1 d2 e3 f4 g4 h4 i4'.split(' '),
  );
});
