/** Configs of Llama-style models, SmolLM2 among them. */
import { rotaryAngles } from '../../../kernels/rotary.js';
import type { JsonObject } from '../../core/json-fields.js';
import type { Axes } from '../../core/positions.js';
import { type DecoderConfig, decoderConfig } from '../common/decoder.js';
import { type ConfigSource, configSource, ropeSource } from '../common/source.js';
import { DecoderModelConfig } from '../common/text-config.js';
import { type Llama3Scaling, scaledRotaryAngles } from './rotary.js';

interface LlamaText extends DecoderConfig {
  readonly llama3: Llama3Scaling | null;
}

class LlamaConfig extends DecoderModelConfig<LlamaText> {
  rotaryAngles([time]: Axes): readonly Float32Array[] {
    const { headDim, ropeTheta, llama3 } = this.text;
    if (llama3) return [scaledRotaryAngles(time, headDim, ropeTheta, llama3)];
    return [rotaryAngles(time, headDim, ropeTheta)];
  }
}

/** Reads a config.json. */
export function parseLlama(raw: JsonObject, file: string): LlamaConfig {
  const source = configSource(raw, file);
  return new LlamaConfig('llama', source, { text: llamaText(source), vision: null });
}

function llamaText(source: ConfigSource): LlamaText {
  const { fields } = source;
  const rope = ropeSource(source, 1e4, ['default', 'llama3']);
  const bias = fields.flag('attention_bias', false);
  const text = decoderConfig(source, {
    rmsNormEps: 1e-6,
    maxPositions: 2048,
    ropeTheta: rope.theta,
    qkvBias: bias,
    outputBias: bias,
    mlpBias: fields.flag('mlp_bias', false),
  });
  if (rope.type === 'default') return { ...text, llama3: null };
  return {
    ...text,
    llama3: {
      factor: rope.fields.positive('factor'),
      lowFreqFactor: rope.fields.positive('low_freq_factor'),
      highFreqFactor: rope.fields.positive('high_freq_factor'),
      originalMaxPositions: rope.fields.count('original_max_position_embeddings'),
    },
  };
}
