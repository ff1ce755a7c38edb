import assert from 'node:assert/strict';
import { test } from 'node:test';
import { troubleReport } from '../../extension/src/doctor/trouble';

const trouble = { version: '1.2.3', reason: 'The server is stopped.', lastEnd: undefined, missing: [] };

test('doctor without a server: what failed, how it ended, and what to do', () => {
  const text = troubleReport({ ...trouble, lastEnd: 'signal SIGKILL' });
  assert.match(text, /^Extension +version 1\.2\.3 on \w+-\w+$/m);
  assert.match(text, /^Server +does not answer\n +it last stopped by itself: signal SIGKILL$/m);
  assert.match(text, /^Problems +ERROR: The server is stopped\. Run "Monokernel: Restart the Language Server"/m);
  assert.match(text, /"Monokernel: Show Log"/);
  assert.doesNotMatch(text, /npm/);
});

test('doctor without a server: one that never ended is not said to have', () => {
  assert.doesNotMatch(troubleReport(trouble), /last stopped/);
});

test('doctor without a server: files of the extension that are missing are named', () => {
  const text = troubleReport({ ...trouble, missing: ['/ext/dist/server.js'] });
  assert.match(
    text,
    /^Problems +ERROR: \/ext\/dist\/server\.js is missing\. Install the extension for \w+-\w+ again\.$/m,
  );
});
