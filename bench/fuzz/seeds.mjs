/** Small well-formed inputs for each of `targets.mjs`, mostly those of the tests. */
import { readdirSync, readFileSync } from 'node:fs';
import { createJiti } from 'jiti';

const source = (path) => new URL(`../../${path}`, import.meta.url);
const fixture = (path) => JSON.parse(readFileSync(source(path), 'utf8'));
const bytes = (text) => new TextEncoder().encode(text);
const json = (value) => bytes(JSON.stringify(value));

/** By target: a list of inputs. */
export async function seeds() {
  const jiti = createJiti(import.meta.url, { fsCache: false });
  const { READER_SEEDS } = await jiti.import('../../src/data/test-fuzz.ts');
  const { encode } = await jiti.import('../../src/formats/test-files.ts');
  const { QWEN_VL_TEMPLATE } = await jiti.import('../../src/text/default-templates.ts');
  const files = (path) => Object.values(fixture(path)).map(({ file }) => Buffer.from(file, 'base64'));
  const small = (list) => list.filter((content) => content.length < 1 << 14);
  const records = Object.entries(READER_SEEDS).filter(([name]) => !name.endsWith('.parquet'));
  const kinds = { jsonl: 0, json: 1, tsv: 3 };
  const tensor = { dtype: 'F32', shape: [2, 1], data_offsets: [0, 8] };
  return {
    safetensors: [encode({ w: tensor, __metadata__: { format: 'pt' } }, new Uint8Array(8))],
    index: [json({ metadata: { total_size: 2 }, weight_map: { a: 'a.safetensors', b: 'b.safetensors' } })],
    lines: [bytes('{"step":1,"loss":0.5}\n{"step":2}\nnot json\n{"step"')],
    records: await Promise.all(
      records.map(async ([name, make]) =>
        Buffer.concat([Buffer.of(kinds[name.split('.')[1]]), await make()]),
      ),
    ),
    parquet: [await READER_SEEDS['questions.parquet']()],
    dicom: small(files('src/vision/fixtures/dicoms.json')),
    raster: small(files('src/vision/fixtures/rasters.json')),
    tokenizer: [readFileSync(source('src/text/fixtures/tokenizer.json'))],
    template: [
      bytes(QWEN_VL_TEMPLATE),
      bytes('{% for m in messages %}{{ m.role | upper }}: {{ m.content[0] }}{% endfor %}'),
    ],
    config: readdirSync(source('recipes'))
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => readFileSync(source(`recipes/${name}`))),
    model: modelConfigs(),
    request: [
      json({
        ...{
          model: 'm',
          n: 2,
          max_tokens: 9,
          temperature: 0.5,
          top_p: 0.9,
          stop: ['x'],
          seed: 1,
          stream: true,
        },
        messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, picture()] }],
      }),
    ],
  };
}

function modelConfigs() {
  const folder = source('kernels-tests/fixtures/models/');
  return readdirSync(folder, { recursive: true })
    .filter((name) => /(^|\/)(config|preprocessor_config)\.json$/.test(String(name)))
    .map((name) => readFileSync(new URL(String(name), folder)));
}

function picture() {
  return { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } };
}
