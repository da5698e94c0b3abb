/**
 * The last line of .ci/run: `N passed, N failed, N skipped`, from the JSON reports of vitest. A file that could not even be
 * loaded has no tests, and a step that failed has none either: each counts as one failure. So does a run
 * that ended badly though all its tests passed (`REPORT.failed` is there): an error outside of a test. Exit code 1 if any failed.
 *
 *     node scripts/report.mjs FAILED_STEPS REPORT...
 */
import { existsSync, readFileSync } from 'node:fs';

const [steps = '0', ...files] = process.argv.slice(2);
let passed = 0;
let failed = Number(steps);
let skipped = 0;

for (const file of files) {
  const report = read(file);
  if (!report) {
    console.log(`${file}: no report`);
    failed++;
    continue;
  }
  const before = failed;
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  skipped += report.numPendingTests + report.numTodoTests;
  for (const suite of report.testResults) {
    if (suite.status === 'failed' && suite.assertionResults.length === 0) {
      console.log(`not loaded: ${suite.name}\n${suite.message}`);
      failed++;
    }
    for (const { status, fullName } of suite.assertionResults) {
      if (status !== 'passed') console.log(`${status}: ${suite.name}: ${fullName}`);
    }
  }
  if (failed === before && existsSync(`${file}.failed`)) {
    console.log(`${file}: ended badly outside of a test`);
    failed++;
  }
}

console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;

/**
 * @param {string} file
 * @returns {undefined | {
 *   numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number,
 *   testResults: { name: string, status: string, message: string, assertionResults: { status: string, fullName: string }[] }[],
 * }}
 */
function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
