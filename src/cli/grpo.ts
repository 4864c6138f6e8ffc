/** `osler grpo`: reinforcement learning from verifiable rewards. */
import path from 'node:path';
import type { CommandModule } from 'yargs';
import { makeSharedGrpoTask, parseGrpoConfig } from '../grpo/index.js';
import { Lead, type LeadArgs, leadOptions } from './cluster/lead.js';
import { environmentVariable, UsageError } from './common.js';
import { checkTraining, configSource, runTraining, type TrainingArgs, trainingOptions } from './training.js';

/** The yargs command. */
export const grpo: CommandModule<object, TrainingArgs & LeadArgs> = {
  command: 'grpo',
  describe: 'Improve a model on questions with known answers: GRPO and its relatives, or PPO',
  builder: (yargs) =>
    leadOptions(trainingOptions(yargs))
      .example(
        '$0 grpo --config recipes/med-r1-qwen2-vl-2b.yaml --set train_dataset=train.jsonl --set eval_dataset=test.jsonl',
        'the settings of the paper on your data',
      )
      .example(
        '$0 grpo --config grpo.yaml --set loss_type=dr_grpo --set beta=0.04',
        'another loss, held near the starting point',
      )
      .example('$0 grpo --config grpo.yaml --resume', 'go on after an interruption')
      .example(
        '$0 grpo --config grpo.yaml --check',
        'whether the longest prompts and completions fit the GPU',
      )
      .example(
        '$0 grpo --config grpo.yaml --workers 2',
        'two processes do what rollout_units and learning_lanes cut the work into',
      ) as never,
  handler: async (args) => {
    const config = parseGrpoConfig(await configSource(args));
    const lead = Lead.from(args);
    const environment = { folder: path.dirname(args.config), environment: environmentVariable };
    if (args.check) {
      if (lead) throw new UsageError('--check is of this machine; leave out --workers and --join');
      return checkTraining(args, config, (setting) => makeSharedGrpoTask(setting, environment));
    }
    let finished = false;
    try {
      const result = await runTraining(args, config, (setting) =>
        makeSharedGrpoTask(setting, environment, lead?.open),
      );
      finished = result.outcome === 'finished';
    } finally {
      await lead?.close(finished);
    }
  },
};
