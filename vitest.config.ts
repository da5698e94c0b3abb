import { defineConfig } from 'vitest/config';

const source = '@mail-server-kit/source';
const conditions = [source, 'node', 'import', 'module', 'default'];

export default defineConfig({
  resolve: { conditions },
  // What Node itself loads chooses between import and require by how it is asked.
  ssr: { resolve: { conditions, externalConditions: [source, 'node'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'examples/**/*.test.ts', 'tests/**/*.test.ts'],
    exclude: ['**/fuzz.test.ts', '**/node_modules/**', '**/dist/**'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    pool: 'forks',
  },
});
