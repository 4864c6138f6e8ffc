/** The side of a helper process: what each file of `src/helpers/` ends with. */
import type { HelperReply, HelperRequest } from './helper-messages.js';
import { startWatchdog } from './watchdog.js';

/**
 * Answers the requests of whoever started this process, for as long as that lives.
 *
 * @param megabytes of memory of any kind that end the process; without them only JavaScript's own limit does.
 */
export function answerRequests(answer: (request: unknown) => unknown, megabytes?: number): void {
  startWatchdog(megabytes);
  process.on('message', async ({ id, request }: HelperRequest) => {
    try {
      reply({ id, answer: await answer(request) });
    } catch (error) {
      reply({ id, error: error instanceof Error ? error.message : String(error) });
    }
  });
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
