/**
 * Imports go down: core <- mime <- what speaks or stores <- what people use <- examples. Siblings meet through contracts of
 * core, never through each other, so that each can be replaced alone.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { importsOf } from './imports.ts';

const layers: readonly (readonly string[])[] = [
  ['core'],
  ['mime'],
  ['storage', 'imap', 'smtp', 'pop3', 'jmap', 'filters', 'tls', 'accounts'],
  ['admin', 'webmail', 'backup'],
];

interface Package {
  /** As published. */
  readonly name: string;
  /** Absolute path. */
  readonly folder: string;
  readonly layer: number;
  readonly dependencies: ReadonlySet<string>;
  /** Subpaths of its exports map: '.', './testing'. */
  readonly exports: ReadonlySet<string>;
}

/** One line per broken rule, `path:line: what`, or none. `root`: a folder with `packages` and `examples`. */
export function brokenLayers(root: string): string[] {
  const packages = [...packagesIn(root, 'packages'), ...packagesIn(root, 'examples')];
  const byName = new Map(packages.map((each) => [each.name, each]));
  const broken: string[] = [];
  for (const from of packages) {
    if (from.layer < 0) broken.push(`${relative(root, from.folder)}: stands in no layer`);
    for (const name of from.dependencies) {
      const to = byName.get(name);
      if (to && to.layer >= from.layer)
        broken.push(`${relative(root, from.folder)}/package.json: depends on ${to.name}`);
    }
    for (const file of sourcesIn(from.folder)) {
      for (const { specifier, line } of importsOf(file, readFileSync(file, 'utf8'))) {
        const why = objection(from, byName, file, specifier);
        if (why) broken.push(`${relative(root, file)}:${line}: '${specifier}' ${why}`);
      }
    }
  }
  return broken;
}

function objection(
  from: Package,
  byName: ReadonlyMap<string, Package>,
  file: string,
  specifier: string,
): string | undefined {
  if (specifier.startsWith('node:')) return undefined;
  if (isBuiltin(specifier)) return 'is a built-in without node:';
  // A test may import anything: it is neither published nor built upon.
  if (isTest(file)) return undefined;
  if (specifier.startsWith('.')) {
    const target = resolve(dirname(file), specifier);
    return target.startsWith(from.folder + sep) ? undefined : 'reaches out of the package';
  }
  const [name, subpath] = splitSpecifier(specifier);
  const to = byName.get(name);
  if (to && to.layer > from.layer) return 'is an import upwards';
  if (to && to !== from && to.layer === from.layer) return 'is an import of a sibling';
  if (!from.dependencies.has(name)) return "is not in the package's dependencies";
  if (to && !to.exports.has(subpath)) return 'reaches into the files of another package';
  return undefined;
}

/** `@scope/name/sub/path` is `['@scope/name', './sub/path']`. */
function splitSpecifier(specifier: string): [name: string, subpath: string] {
  const parts = specifier.split('/');
  const length = specifier.startsWith('@') ? 2 : 1;
  return [parts.slice(0, length).join('/'), ['.', ...parts.slice(length)].join('/')];
}

function packagesIn(root: string, group: 'packages' | 'examples'): Package[] {
  const found: Package[] = [];
  for (const entry of readdirSync(join(root, group))) {
    const folder = join(root, group, entry);
    const manifest = join(folder, 'package.json');
    if (!existsSync(manifest)) continue;
    const { name, dependencies, peerDependencies, exports } = JSON.parse(
      readFileSync(manifest, 'utf8'),
    ) as Manifest;
    found.push({
      name,
      folder,
      layer:
        group === 'examples' ? layers.length : layers.findIndex((layer) => layer.includes(entry)),
      dependencies: new Set(Object.keys({ ...dependencies, ...peerDependencies })),
      exports: new Set(Object.keys(exports ?? {})),
    });
  }
  return found;
}

interface Manifest {
  readonly name: string;
  readonly dependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
  readonly exports?: Record<string, unknown>;
}

function isTest(file: string): boolean {
  return /\.(test|fixture)\.ts$/.test(file) || file.includes(`${sep}fixtures${sep}`);
}

/** Of a package what is in `src`; of an example all. */
function* sourcesIn(folder: string): Generator<string> {
  const sources = join(folder, 'src');
  yield* filesBelow(existsSync(sources) ? sources : folder);
}

function* filesBelow(folder: string): Generator<string> {
  for (const entry of readdirSync(folder)) {
    if (entry === 'node_modules' || entry === 'dist') continue;
    const path = join(folder, entry);
    if (statSync(path).isDirectory()) yield* filesBelow(path);
    else if (/\.[cm]?[jt]sx?$/.test(entry)) yield path;
  }
}
