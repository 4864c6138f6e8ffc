/**
 * A reporter for vitest that writes each event to a file as it happens, one JSON object a line: whoever started the run can
 * count results even where a crash of the driver ended it. `tally.mjs` reads them.
 */
import { appendFileSync } from 'node:fs';

/** Appends `{name, began}` when a test begins, `{name, state, ms, note?}` when it ended, and at the end `{ended}`. */
export class TallyReporter {
  constructor(file) {
    this.file = file;
  }

  onInit(vitest) {
    this.pattern = vitest.config.testNamePattern;
  }

  onTestCaseReady(test) {
    if (this.isWanted(test)) this.write({ name: nameOf(test), began: true });
  }

  onTestCaseResult(test) {
    if (!this.isWanted(test)) return;
    const { state, note, errors } = test.result();
    const ms = test.diagnostic()?.duration ?? 0;
    this.write({ name: nameOf(test), state, ms, note: note ?? errors?.[0]?.message });
  }

  /** Hooks that fail have no test of their own. */
  onTestSuiteResult(suite) {
    for (const { message } of suite.errors()) this.fail(nameOf(suite), message);
  }

  /** Neither has a file that cannot be loaded. */
  onTestModuleEnd(module) {
    for (const { message } of module.errors()) this.fail(module.relativeModuleId, message);
  }

  onTestRunEnd(_modules, unhandled) {
    for (const { message } of unhandled) this.fail('outside of all tests', message);
    this.write({ ended: true });
  }

  /** Tests that `-t` leaves out are "skipped" to vitest; nobody asked for them. */
  isWanted(test) {
    return !this.pattern || this.pattern.test(titles(test).join(' '));
  }

  fail(name, message) {
    this.write({ name, state: 'failed', ms: 0, note: message });
  }

  write(entry) {
    appendFileSync(this.file, `${JSON.stringify(entry)}\n`);
  }
}

function nameOf(task) {
  return [task.module.relativeModuleId, ...titles(task)].join(' > ');
}

/** The titles of a test or suite and of those around it, as `-t` sees them. */
function titles(task) {
  return task.type === 'module' ? [] : [...titles(task.parent), task.name];
}
