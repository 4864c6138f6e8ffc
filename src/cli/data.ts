/** `osler data`: look at datasets, convert and split them. */
import type { CommandModule } from 'yargs';
import { dataConvert } from './data-convert.js';
import { dataSplit } from './data-split.js';
import { dataStats } from './data-stats.js';

/** The yargs command. */
export const data: CommandModule = {
  command: 'data',
  describe:
    'Look at datasets, convert and split them: OmniMedVQA, Med-R1, GMAI, MedXpertQA, MMMU, VQA-RAD, SLAKE, PathVQA, PMC-VQA, reports, Parquet',
  builder: (yargs) =>
    yargs
      .command(dataStats)
      .command(dataConvert)
      .command(dataSplit)
      .demandCommand(1, 'Name one of stats, convert and split.')
      .example('$0 data stats OmniMedVQA', 'tables and baselines')
      .example('$0 data split all.jsonl --out .', 'train.jsonl and test.jsonl'),
  handler: () => {},
};
