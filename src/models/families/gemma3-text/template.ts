/** The chat template for checkpoints that come without one. */

/** What stands for a picture in the text of a conversation. */
export const START_OF_IMAGE = '<start_of_image>';

/** Renders what the published template renders: a system message comes before the first turn, texts without spaces around them. */
export const GEMMA3_TEMPLATE = `\
{{- bos_token -}}
{%- set system = namespace(text='') -%}
{%- if messages[0]['role'] == 'system' -%}
  {%- if messages[0]['content'] is string -%}
    {%- set system.text = messages[0]['content'] + '\\n\\n' -%}
  {%- else -%}
    {%- set system.text = messages[0]['content'][0]['text'] + '\\n\\n' -%}
  {%- endif -%}
  {%- set turns = messages[1:] -%}
{%- else -%}
  {%- set turns = messages -%}
{%- endif -%}
{%- for message in turns -%}
  {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
    {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}
  {%- endif -%}
  {{- '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\\n' -}}
  {%- if loop.first -%}{{- system.text -}}{%- endif -%}
  {%- if message['content'] is string -%}
    {{- message['content'] | trim -}}
  {%- else -%}
    {%- for part in message['content'] -%}
      {%- if part['type'] == 'image' -%}
        {{- '<start_of_image>' -}}
      {%- elif part['type'] == 'text' -%}
        {{- part['text'] | trim -}}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {{- '<end_of_turn>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<start_of_turn>model\\n' -}}{%- endif -%}
`;
