/** The side of a helper process: what each file of `src/helpers/` ends with. */
import type { HelperReply, HelperRequest } from './helper-messages.js';

/** Answers the requests of whoever started this process, for as long as that lives. */
export function answerRequests(answer: (request: unknown) => unknown): void {
  process.on('message', async ({ id, request }: HelperRequest) => {
    try {
      reply({ id, answer: await answer(request) });
    } catch (error) {
      reply({ id, error: error instanceof Error ? error.message : String(error) });
    }
  });
  // A process that outlives who started it would be in nobody's way but the machine's.
  process.on('disconnect', () => process.exit());
  // Ctrl-C goes to every process of a terminal; whoever started this one says when it is done.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('SIGHUP', () => {});
  reply({ id: 0, answer: 'ready' });
}

function reply(message: HelperReply): void {
  process.send?.(message);
}
