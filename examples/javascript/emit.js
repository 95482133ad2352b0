/** An example for signalbox.js: `node examples/javascript/emit.js http://127.0.0.1:8000 [TOKEN]`. */

import { openTask } from './signalbox.js';

const [url = 'http://127.0.0.1:8000', token] = process.argv.slice(2);
const task = openTask({ url, token, title: 'Release of the web shop', kind: 'release' });

await task.phase('planning', (phase) => phase.status('2 targets'));
await task.phase('executing', async (phase) => {
  for (const target of ['linux', 'macos']) {
    await phase.workItem(target, 'build', async (item) => {
      item.progress(1, 2);
      item.log(`built ${target}`);
    });
  }
});
const answer = await task.askPermission('publish', { version: '2.1' }, { reason: 'the build is done', timeout: 5 });
task.log(answer.state === 'approved' ? 'published' : `not published: ${answer.state}`);
console.log(task.taskId, answer.state, (await task.end()) ? 'stored' : 'not stored');
