import { defineConfig, type Options } from 'tsup';

/** How every package is built: ESM, CJS and types of both from the same entries; one entry per line of its exports map. */
export function packageBuild(options: Options = {}) {
  return defineConfig({
    entry: { index: 'src/index.ts' },
    format: ['esm', 'cjs'],
    dts: true,
    clean: true,
    sourcemap: true,
    splitting: true,
    // Rollup makes the CommonJS chunks then; otherwise tsup lets sucrase do it, which cannot put `yield` after `??`.
    treeshake: true,
    shims: true,
    target: 'node20',
    removeNodeProtocol: false,
    // Names one file: tsup reads all that a tsconfig names, which would be every package with its dist.
    tsconfig: '../../tsconfig.build.json',
    ...options,
  });
}
