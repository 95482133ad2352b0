// Drives the official client against a URL, answers every interrupt, and prints what it has at the end:
//   node client.mjs FOLDER_OF_PACKAGES URL '{"approved": true}'
const [packages, url, answer] = process.argv.slice(2);
const { HttpAgent } = await import(`${packages}/@ag-ui/client/dist/index.mjs`);

const agent = new HttpAgent({ url, threadId: "thread-1" });
const seen = [];
const errors = [];
const interrupts = [];
const watch = {
  onEvent: ({ event }) => void seen.push(event.type),
  onRunFailed: ({ error }) => void errors.push(String(error)),
  onRunErrorEvent: ({ event }) => void errors.push(event.message),
};

await agent.runAgent({ runId: "run-1" }, watch).catch(() => {});
for (let number = 2; agent.pendingInterrupts.length > 0; number++) {
  interrupts.push(...agent.pendingInterrupts);
  const resume = agent.pendingInterrupts.map(({ id }) => ({
    interruptId: id,
    status: "resolved",
    payload: JSON.parse(answer),
  }));
  await agent.runAgent({ runId: `run-${number}`, resume }, watch).catch(() => {});
}
console.log(JSON.stringify({ seen, errors, interrupts, messages: agent.messages, state: agent.state }));
