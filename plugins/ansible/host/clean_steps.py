"""Prints a YAML file as JSON. Run by the Python that ansible has, which brings PyYAML."""

import json
import sys

import yaml

try:
    with open(sys.argv[1], encoding='utf-8') as file:
        print(json.dumps(yaml.safe_load(file)))
except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError) as error:
    sys.exit(' '.join(str(error).split()))
