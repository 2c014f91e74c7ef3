"""Compares the operator table with the schemas of the onnx package: versions, inputs, outputs, types, attributes.

The table is printed by operators_program.c, found in FOVEA_TEST_PROGRAMS. Every
version that an opset from 7 on can mean has to be there as ONNX has it; a row may have older ones too, with none left
out in between. A row's types are those of all of them.
"""

import collections
import os
import re
import struct
import subprocess
import sys

import onnx
import onnx.defs

OLDEST_OPSET = 7
ADDED = {"LayerNormalization": [1]}  # versions that ONNX Runtime adds to ONNX's
KINDS = {"INT": "int", "FLOAT": "float", "STRING": "string", "TENSOR": "tensor", "GRAPH": "graph", "INTS": "ints",
         "FLOATS": "floats", "STRINGS": "strings", "TENSORS": "tensors", "GRAPHS": "graphs",
         "TYPE_PROTO": "type", "SPARSE_TENSOR": "sparse_tensor"}

Port = collections.namedtuple("Port", "name option types")
Attribute = collections.namedtuple("Attribute", "name kind required default")


def option_of(port):
    return str(port.option).rsplit(".", 1)[-1].lower()


def in_version(declaration, version):
    """The declaration without its "@13", "@<13" or both; None where the version does not have it."""
    for before, limit in re.findall(r"@(<?)(\d+)", declaration):
        if (version < int(limit)) != (before == "<"):
            return None
    return re.sub(r"@<?\d+", "", declaration)


class Row:
    """A row of the table, as it reads for one version of the operator."""

    def __init__(self, fields, words):
        self.domain, self.name, versions, self.inputs, self.outputs, types, self.attributes = fields
        self.versions = [int(v) for v in versions.split()]
        self.words = words
        self.variables = {}
        for part in filter(None, (t.strip() for t in types.split(";"))):
            variable, _, names = part.partition(":")
            self.variables[variable.strip()] = self.expand(names)

    def types_of(self, type_name):
        """None for a variable that is declared nowhere: the type of an output that .infer sets. Of a sequence, or of what
        may be one, that of its tensors."""
        type_name = re.sub(r"^(seq|any)\((\w+)\)$", r"\2", type_name)
        if type_name in self.variables:
            return self.variables[type_name]
        return self.expand(type_name) if re.split("[|]", type_name)[0] in self.words else None

    def expand(self, names):
        return frozenset(t for word in re.split(r"[ |]+", names.strip()) for t in self.words[word])

    def ports(self, field, version):
        result = []
        for declaration in field.split():
            declaration = in_version(declaration, version)
            if declaration is None:
                continue
            name, _, type_name = declaration.partition(":")
            option = {"?": "optional", "*": "variadic"}.get(type_name[-1], "single")
            result.append(Port(name, option, self.types_of(type_name.rstrip("?*"))))
        return result

    def attributes_of(self, version):
        result = {}
        for declaration in self.attributes.split():
            declaration, equals, default = declaration.partition("=")
            declaration = in_version(declaration, version)
            if declaration is None:
                continue
            name, _, kind = declaration.partition(":")
            result[name] = Attribute(name, kind.rstrip("!"), kind.endswith("!"), default if equals else None)
        return result


def read_table(program):
    words, rows = {}, []
    for line in subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines():
        kind, *fields = line.split("\t")
        if kind == "word":
            words[fields[0]] = fields[1].split()
        else:
            rows.append(Row(fields, words))
    return rows


def reachable_schemas():
    """For every operator: its schemas, oldest first, and those of them that opset 7 and later can mean."""
    history = collections.defaultdict(list)
    for schema in onnx.defs.get_all_schemas_with_history():
        history[schema.domain, schema.name].append(schema)
    reachable = {}
    for key, schemas in history.items():
        schemas.sort(key=lambda s: s.since_version)
        first = max((s.since_version for s in schemas if s.since_version <= OLDEST_OPSET), default=0) if not key[0] else 0
        reachable[key] = [s for s in schemas if s.since_version >= first and not s.deprecated]
    return history, reachable


def tensor_types(schema, port, known):
    """The element types of a port that are tensors', or those of sequences, and that fovea knows."""
    names = next((c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == port.type_str),
                 [port.type_str])
    types = (re.fullmatch(r"(?:optional\()?(?:seq\()?tensor\((\w+)\)+", name) for name in names)
    return frozenset(match.group(1) for match in types if match) & known


def as_float32(number):
    return struct.pack("<f", float(number))


def same_default(attribute, schema_attribute):
    if not schema_attribute.default_value.name:
        return attribute.default is None or schema_attribute.required
    value = onnx.helper.get_attribute_value(schema_attribute.default_value)
    if attribute.default is None:
        return value in ([], b"")
    if attribute.kind == "ints":
        return [int(n) for n in attribute.default.split(",")] == list(value)
    if attribute.kind == "float":
        return as_float32(attribute.default) == as_float32(value)
    if isinstance(value, list):
        return attribute.default == ",".join(v.decode() if isinstance(v, bytes) else str(v) for v in value)
    return attribute.default == (value.decode() if isinstance(value, bytes) else str(value))


def kind_of(schema_attribute):
    return KINDS.get(str(schema_attribute.type).rsplit(".", 1)[-1])


def compare_ports(row, schema, field, schema_ports, known):
    mine, version = row.ports(field, schema.since_version), schema.since_version
    if [(p.name, p.option) for p in mine] != [(p.name, option_of(p)) for p in schema_ports]:
        yield (f"version {version}: has {[tuple(p[:2]) for p in mine]}, "
               f"ONNX {[(p.name, option_of(p)) for p in schema_ports]}")
        return
    for port, schema_port in zip(mine, schema_ports if field == row.inputs else []):
        missing = tensor_types(schema, schema_port, known) - (port.types or known)
        if missing:
            yield f"version {version}: {port.name} lacks {' '.join(sorted(missing))}"


def compare_attributes(row, schema):
    mine, version = row.attributes_of(schema.since_version), schema.since_version
    theirs = {a.name: a for a in schema.attributes.values()}
    for name in [a.name for a in theirs.values() if kind_of(a) is None]:  # sparse tensors: refused when loaded
        theirs.pop(name)
        mine.pop(name, None)
    if mine.keys() != theirs.keys():
        yield f"version {version}: has attributes {sorted(mine)}, ONNX {sorted(theirs)}"
        return
    for name, attribute in mine.items():
        kind = kind_of(theirs[name])
        if attribute.kind != kind:
            yield f"version {version}: {name} is of kind {attribute.kind}, in ONNX {kind}"
        elif attribute.required != theirs[name].required:
            yield f"version {version}: {name}: required is {attribute.required}, in ONNX {theirs[name].required}"
        elif not same_default(attribute, theirs[name]):
            yield f"version {version}: {name}: the default {attribute.default} is not ONNX's"


def compare_excess(row, schemas, field, kind, known):
    """Types that no version has. kind: "inputs" or "outputs" of a schema."""
    for i, port in enumerate(row.ports(field, schemas[-1].since_version)):
        of_versions = (getattr(s, kind) for s in schemas)
        allowed = frozenset().union(*(tensor_types(s, ports[i], known)
                                      for s, ports in zip(schemas, of_versions) if i < len(ports)))
        if port.types is not None and port.types - allowed:
            yield f"{port.name} has {' '.join(sorted(port.types - allowed))}, which ONNX does not"


def compare(row, history, schemas, known):
    versions = set(row.versions) - set(ADDED.get(row.name, []))
    schemas = [s for s in history if not s.deprecated and
               s.since_version >= min(schemas[0].since_version, min(versions, default=0))]
    needed = {s.since_version for s in schemas}
    if not needed <= versions or not versions <= {s.since_version for s in history}:
        yield f"has versions {row.versions}, ONNX {sorted(needed)}"
        return
    for schema in schemas:
        yield from compare_ports(row, schema, row.inputs, schema.inputs, known)
        yield from compare_ports(row, schema, row.outputs, schema.outputs, known)
        yield from compare_attributes(row, schema)
    yield from compare_excess(row, schemas, row.inputs, "inputs", known)
    yield from compare_excess(row, schemas, row.outputs, "outputs", known)


def main():
    rows = read_table(os.path.join(os.environ["FOVEA_TEST_PROGRAMS"], "conformance_operators_program"))
    known = frozenset(t for row in rows for types in row.words.values() for t in types)
    history, reachable = reachable_schemas()
    faults = 0
    for row in rows:
        key = (row.domain, row.name)
        if key not in reachable:
            continue  # of another domain, which the package does not describe
        for fault in compare(row, history[key], reachable[key], known):
            print(f"{row.name}: {fault}")
            faults += 1
    print(f"{len(rows)} operators, {faults} differences")
    return 1 if faults or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
