/**
 * Chat templates for checkpoints that come without one. They render what the published templates render.
 */

/** Qwen2-VL and Qwen2.5-VL Instruct. Also right for Qwen2 text models: it takes plain strings as well. */
export const QWEN_VL_TEMPLATE = `\
{%- set images = namespace(n=0) -%}
{%- set videos = namespace(n=0) -%}
{%- for message in messages -%}
  {%- if loop.first and message['role'] != 'system' -%}
    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}
  {%- endif -%}
  {{- '<|im_start|>' + message['role'] + '\\n' -}}
  {%- if message['content'] is string -%}
    {{- message['content'] -}}
  {%- else -%}
    {%- for part in message['content'] -%}
      {%- if part['type'] == 'image' or 'image' in part or 'image_url' in part -%}
        {%- set images.n = images.n + 1 -%}
        {%- if add_vision_id -%}{{- 'Picture ' + (images.n | string) + ': ' -}}{%- endif -%}
        {{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
      {%- elif part['type'] == 'video' or 'video' in part -%}
        {%- set videos.n = videos.n + 1 -%}
        {%- if add_vision_id -%}{{- 'Video ' + (videos.n | string) + ': ' -}}{%- endif -%}
        {{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
      {%- elif 'text' in part -%}
        {{- part['text'] -}}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
`;
