/** `osler sft`: supervised fine-tuning. */
import type { CommandModule } from 'yargs';
import { makeSftTask, parseSftConfig } from '../sft/index.js';
import { checkTraining, configSource, runTraining, type TrainingArgs, trainingOptions } from './training.js';

/** The yargs command. */
export const sft: CommandModule<object, TrainingArgs> = {
  command: 'sft',
  describe: 'Fine-tune a model on answers: conversations, or questions with reasoning',
  builder: (yargs) =>
    trainingOptions(yargs)
      .example(
        '$0 sft --config sft.yaml',
        'with model_name_or_path, train_dataset and output_dir in sft.yaml',
      )
      .example(
        '$0 sft --config sft.yaml --set learning_rate=1e-5 --set use_peft=true',
        'an adapter, at another rate',
      )
      .example('$0 sft --config sft.yaml --resume', 'go on after an interruption')
      .example('$0 sft --config sft.yaml --check', 'whether the longest examples fit the GPU'),
  handler: async (args) => {
    const config = parseSftConfig(await configSource(args));
    if (args.check) await checkTraining(args, config, makeSftTask);
    else await runTraining(args, config, makeSftTask);
  },
};
