/** The chat template for checkpoints that come without one. */

/** Renders what the template of the Instruct models renders where there are no tools: a system message may come first. */
export const QWEN3_VL_TEMPLATE = `\
{%- set images = namespace(n=0) -%}
{%- set videos = namespace(n=0) -%}
{%- for message in messages -%}
  {%- if message['role'] in ['user', 'assistant'] or (loop.first and message['role'] == 'system') -%}
    {{- '<|im_start|>' + message['role'] + '\\n' -}}
    {%- if message['content'] is string -%}
      {{- message['content'] -}}
    {%- else -%}
      {%- for part in message['content'] -%}
        {%- if message['role'] == 'user' and (part['type'] == 'image' or 'image' in part or 'image_url' in part) -%}
          {%- set images.n = images.n + 1 -%}
          {%- if add_vision_id -%}{{- 'Picture ' + (images.n | string) + ': ' -}}{%- endif -%}
          {{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
        {%- elif message['role'] == 'user' and (part['type'] == 'video' or 'video' in part) -%}
          {%- set videos.n = videos.n + 1 -%}
          {%- if add_vision_id -%}{{- 'Video ' + (videos.n | string) + ': ' -}}{%- endif -%}
          {{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
        {%- elif 'text' in part -%}
          {{- part['text'] -}}
        {%- endif -%}
      {%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>\\n' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
`;
