#!/usr/bin/python
"""
Writes the config drive to a disk: into a partition that is one, else into a new one at the disk's end. The agent does
it, as for every other way to deploy.

device        the disk
url, file     one of them: where base64 of the gzipped volume is; a file is removed
agent_socket  of the agent
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackstrap import AGENT_SOCKET, Failure, ask_agent


def main():
    module = AnsibleModule(
        argument_spec={
            'device': {'required': True},
            'url': {},
            'file': {},
            'agent_socket': {'default': AGENT_SOCKET},
        },
        required_one_of=[('url', 'file')],
        mutually_exclusive=[('url', 'file')],
    )
    text, file = module.params['url'], module.params['file']
    try:
        if file:
            with open(file, encoding='latin-1') as source:
                text = source.read()
        found = ask_agent(
            module.params['agent_socket'], '/config-drive', {'device': module.params['device'], 'text': text}
        )
        if file:
            os.unlink(file)
    except (Failure, OSError) as failure:
        module.fail_json(msg=str(failure))
    module.exit_json(changed=True, partition=found['partition'])


if __name__ == '__main__':
    main()
