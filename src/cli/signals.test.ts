import { afterEach, expect, test, vi } from 'vitest';
import { onStopSignal } from './signals.js';

const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
afterEach(() => kill.mockClear());

function listen() {
  const heard: string[] = [];
  let time = 0;
  const { release } = onStopSignal(
    (name) => heard.push(name),
    () => time,
  );
  return {
    heard,
    release,
    send: (name: NodeJS.Signals, at: number) => {
      time = at;
      process.emit(name, name);
    },
  };
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('the first %s stops', (name) => {
  const { heard, release, send } = listen();
  send(name, 0);
  expect(heard).toEqual([name]);
  expect(kill).not.toHaveBeenCalled();
  release();
});

test('the echo of a signal to the whole group is not a second one', () => {
  const { heard, release, send } = listen();
  send('SIGTERM', 0);
  send('SIGTERM', 3);
  expect(heard).toEqual(['SIGTERM']);
  expect(kill).not.toHaveBeenCalled();
  release();
});

test('a second signal ends the process by the default that it then has', () => {
  const before = process.listenerCount('SIGINT');
  const { heard, send } = listen();
  send('SIGINT', 0);
  send('SIGINT', 2000);
  expect(heard).toEqual(['SIGINT']);
  expect(kill).toHaveBeenCalledExactlyOnceWith(process.pid, 'SIGINT');
  expect(process.listenerCount('SIGINT')).toBe(before);
});
