import { expect, it } from 'vitest';
import yargs from 'yargs';
import { UsageError } from '../common.js';
import { Lead, type LeadArgs, leadOptions } from './lead.js';

async function leadOf(line: string): Promise<Lead | null> {
  const cli = leadOptions(yargs(line === '' ? [] : line.split(' '))).exitProcess(false);
  const args = await cli
    .fail((text, error) => {
      throw error ?? new Error(text);
    })
    .parseAsync();
  return Lead.from(args as LeadArgs);
}

it.each([
  ['--verify 0.02', /--verify is given without --workers or --join/],
  ['--workers 1 --verify 0.5', /--verify needs somebody to compare with; give --workers 2 or more/],
  ['--workers 2 --verify 2', /--verify is 2; give a number from 0 to 1/],
  ['--workers 2 --join nats://x:4222', /--workers and --join are given/],
  ['--token-file x', /--token-file is given without --join/],
])('%s is refused', async (line, message) => {
  await expect(leadOf(line)).rejects.toThrow(message);
  await expect(leadOf(line)).rejects.toThrow(UsageError);
});

it('shares a run only where it is told to', async () => {
  expect(await leadOf('')).toBeNull();
  expect(await leadOf('--workers 2 --verify 0.02')).toBeInstanceOf(Lead);
});
