#!/usr/bin/env node
import { main } from './main.ts';

// `list | head` is no error: whoever reads has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

// CommonJS, which this is built to as well, cannot wait here.
void main(process.argv.slice(2), process).then((code) => {
  process.exitCode = code;
});
