/** Configs of Qwen2 and Qwen2.5, and of the decoders of the models that see with them. */
import { rotaryAngles } from '../../../kernels/rotary.js';
import type { JsonObject } from '../../core/json-fields.js';
import type { Axes } from '../../core/positions.js';
import { type DecoderConfig, decoderConfig } from '../common/decoder.js';
import { type ConfigSource, configSource, type RopeSource, ropeSource } from '../common/source.js';
import { DecoderModelConfig } from '../common/text-config.js';

class Qwen2Config extends DecoderModelConfig<DecoderConfig> {
  rotaryAngles([time]: Axes): readonly Float32Array[] {
    return [rotaryAngles(time, this.text.headDim, this.text.ropeTheta)];
  }
}

/** Reads a config.json. */
export function parseQwen2(raw: JsonObject, file: string): Qwen2Config {
  const source = configSource(raw, file);
  return new Qwen2Config('qwen2', source, { text: qwen2Text(source, ['default']).text, vision: null });
}

/** Reads the decoder; `ropes` are the types of rotary positions that it may have. */
export function qwen2Text(
  source: ConfigSource,
  ropes: readonly string[],
): { text: DecoderConfig; rope: RopeSource } {
  const rope = ropeSource(source, 1e6, ropes);
  const text = decoderConfig(source, {
    rmsNormEps: 1e-5,
    maxPositions: 32768,
    ropeTheta: rope.theta,
    qkvBias: true,
    outputBias: false,
    mlpBias: false,
  });
  return { text, rope };
}
