"""Tells the appliance of each task and failure: lines of JSON after a mark that nobody else knows."""

import json
import os
import sys

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: rackstrap
    type: notification
    short_description: tells the appliance of each task and failure
    description:
      - Writes a line of JSON to standard output for each task, retry, poll and failure.
"""

TEXT_LIMIT = 2000
# In the order in which they say why; a module's own message comes first.
REASONS = ('stderr', 'module_stderr', 'stdout', 'module_stdout', 'reason', 'exception')
# These say nothing of their own.
EMPTY = ('non-zero return code', 'One or more items failed', 'MODULE FAILURE', 'All items completed')


def text_of(result):
    """Why it failed, in its own words; a task with no_log has none."""
    if 'censored' in result:
        return 'its output is hidden (no_log)'
    message = result.get('msg')
    message = message if isinstance(message, str) else '' if message is None else json.dumps(message, default=str)
    told = message if message and not message.startswith(EMPTY) else ''
    if not told or 'See stdout/stderr' in told:
        more = [str(result[key]).strip() for key in REASONS if result.get(key)]
        told = more[0] if more else message
    return told.strip()[-TEXT_LIMIT:]


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'rackstrap'
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        # Taken away, so that no task has it.
        self.mark = os.environ.pop('RACKSTRAP_EVENTS', None)
        self.item = {}

    def tell(self, event, **fields):
        if self.mark is not None:
            sys.stdout.write(self.mark + json.dumps(dict(fields, event=event), default=str) + '\n')
            sys.stdout.flush()

    def failed(self, event, result):
        name = result._task.get_name()
        text = text_of(result._result)
        # Of a loop, the item that failed says more than their sum.
        self.tell(event, name=name, text=self.item.pop(name, None) or text)

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.tell('task', name=task.get_name())

    def v2_playbook_on_handler_task_start(self, task):
        self.tell('task', name=task.get_name())

    def v2_runner_on_async_poll(self, result):
        self.tell('alive', name=result._task.get_name())

    def v2_runner_retry(self, result):
        self.tell('alive', name=result._task.get_name())

    def v2_runner_on_ok(self, result):
        self.tell('alive', name=result._task.get_name())

    def v2_runner_item_on_failed(self, result):
        self.item[result._task.get_name()] = text_of(result._result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self.failed('failed', result)

    def v2_runner_on_unreachable(self, result):
        if not getattr(result._task, 'ignore_unreachable', False):
            self.failed('unreachable', result)
