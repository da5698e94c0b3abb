import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** `npm run fuzz`. How long each runs is FUZZ_SECONDS, so none has a time limit of its own. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['packages/*/src/**/fuzz.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 0,
    hookTimeout: 0,
  },
});
