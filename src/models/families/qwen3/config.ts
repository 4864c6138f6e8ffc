/** Configs of Qwen3, and of the decoders of the models that see with it. */
import { rotaryAngles } from '../../../kernels/rotary.js';
import type { JsonObject } from '../../core/json-fields.js';
import type { Axes } from '../../core/positions.js';
import { type DecoderConfig, decoderConfig } from '../common/decoder.js';
import { type ConfigSource, configSource, type RopeSource, ropeSource } from '../common/source.js';
import { DecoderModelConfig } from '../common/text-config.js';
import { QWEN3_TEMPLATE } from './template.js';

class Qwen3Config extends DecoderModelConfig<DecoderConfig> {
  rotaryAngles([time]: Axes): readonly Float32Array[] {
    return [rotaryAngles(time, this.text.headDim, this.text.ropeTheta)];
  }
}

/** Reads a config.json. */
export function parseQwen3(raw: JsonObject, file: string): Qwen3Config {
  const source = configSource(raw, file);
  const rope = ropeSource(source, 1e4, ['default']);
  const text = qwen3Text(source, rope, 32768);
  return new Qwen3Config('qwen3', source, { text, vision: null, chatTemplate: QWEN3_TEMPLATE });
}

/** Reads the decoder; `maxPositions` is what files leave out. */
export function qwen3Text(source: ConfigSource, rope: RopeSource, maxPositions: number): DecoderConfig {
  const bias = source.fields.flag('attention_bias', false);
  return decoderConfig(source, {
    rmsNormEps: 1e-6,
    maxPositions,
    ropeTheta: rope.theta,
    qkvBias: bias,
    outputBias: bias,
    mlpBias: false,
    headDim: 128,
    headNorms: true,
  });
}
