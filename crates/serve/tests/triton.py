"""Drives plywood-serve with Triton's own HTTP client, every public method of it.

    python tritonclient_test.py --url 127.0.0.1:8080 [--record DIR]

The server must have been started with --allow-load and serve five models:
    fashion   an image of 28 x 28 grey pixels -> one of ten classes
    texts     one text field -> a class
    table     fields of number, boolean, category and date -> a class
    raw       a model file without a predictor: FP32 [-1, 784] -> FP32 [-1, 10]
    numbers   one array field FP32 [-1, 4] -> values FP64 [-1, 2]

Needs numpy and tritonclient[http]. The last line is "N passed, M failed"; the exit code is 0 when M is 0.

With --record the client goes through a small proxy in this process, which writes the exact bytes of each request, and what
its answer must be, to DIR: a file of JSON for each check, in the form that server/replay.rs reads. It leaves out messages as
large as --record-limit, requests that were recorded before, and what is more than a few KB of a check. Recordings that an
earlier run left in DIR are removed first.
"""

import argparse
import asyncio
import base64
import functools
import gzip
import http.client
import inspect
import json
import os
import re
import socket
import struct
import sys
import threading
import time
import traceback
import zlib

import ml_dtypes
import numpy as np
import tritonclient.http as triton
from tritonclient.http import InferenceServerException, InferInput, InferRequestedOutput

MODELS = ["fashion", "texts", "table", "raw", "numbers"]
CLASSIFIERS = ["fashion", "texts", "table"]
FASHION = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]
WRONG_VERSION = "no-such-version"
RECORD_OF_A_CHECK = 3_500  # bytes: the most that is recorded of a check


# ---------------------------------------------------------------- the checks and how they are run

CHECKS = []  # (name, function)


def check(function):
    """Registers a check: a function of the context that raises when something is wrong."""
    CHECKS.append((function.__name__, function))
    return function


def check_each(*values):
    """Registers one check for each value, which is given to the function as its second argument."""

    def register(function):
        for value in values:
            CHECKS.append((f"{function.__name__}_{value}", functools.partial(lambda t, v: function(t, v), v=value)))
        return function

    return register


def equal(got, expected, what):
    assert got == expected, f"{what}: got {got!r}, expected {expected!r}"


def same_bits(got, expected, what):
    """Two arrays agree in type, shape and every bit; the elements of BYTES may be str (from JSON) or bytes."""
    equal(got.shape, expected.shape, f"{what}: shape")
    if expected.dtype == np.object_:
        equal(strings(got), strings(expected), what)
        return
    equal(got.dtype, expected.dtype, f"{what}: dtype")
    if got.tobytes() != expected.tobytes():
        differ = np.argwhere(got.ravel().view(f"u{got.itemsize}") != expected.ravel().view(f"u{got.itemsize}")).ravel()
        first = int(differ[0])
        raise AssertionError(
            f"{what}: {len(differ)} of {got.size} values differ, the first is number {first}: "
            f"{got.ravel()[first]!r} and {expected.ravel()[first]!r}"
        )


def strings(array):
    return [x.decode() if isinstance(x, bytes) else x for x in array.ravel()]


def refused(call, *words, status=("400", "404", "409", "413", "415", "422", "501")):
    """The server answers the call with an error whose message contains each of the words. Returns the message."""
    if isinstance(status, str):
        status = (status,)
    try:
        call()
    except InferenceServerException as e:
        message = e.message()
        assert e.status() is not None, f"the client itself refused the call, nothing was sent: {message}"
        check_message(message, words)
        assert e.status() in status, f"status {e.status()}, expected {' or '.join(status)}; message: {message}"
        return message
    raise AssertionError(f"the server accepted what it must refuse with a message of {words}")


def check_message(message, words):
    assert isinstance(message, str), f"the error is {message!r}, not a string"
    for symptom in ["an exception occurred in the client", "client received an empty response"]:
        assert symptom not in message, f'an error without {{"error": "..."}}: {message}'
    assert len(message) >= 12, f"the message says too little: {message!r}"
    for word in words:
        assert str(word).lower() in message.lower(), f"the message does not say {word!r}: {message}"


def refused_by_client(call, *words):
    """The client raises before it sends anything."""
    try:
        call()
    except InferenceServerException as e:
        equal(e.status(), None, "status of an error that the client raises by itself")
        check_message(e.message(), words)
        return
    raise AssertionError("the client did not refuse the call")


# ---------------------------------------------------------------- a note of every method that was called

CALLED = set()
NOTED_CLASSES = [
    triton.InferenceServerClient, triton.InferInput, triton.InferRequestedOutput, triton.InferResult, triton.InferAsyncRequest,
]


def public_methods(cls):
    return [name for name in dir(cls) if not name.startswith("_")]


def note_calls(cls):
    def noting(function, label):
        @functools.wraps(function)
        def noted(*args, **kwargs):
            CALLED.add(label)
            return function(*args, **kwargs)

        return noted

    for name in public_methods(cls):
        attribute = inspect.getattr_static(cls, name)
        label = f"{cls.__name__}.{name}"
        if isinstance(attribute, (staticmethod, classmethod)):
            setattr(cls, name, type(attribute)(noting(attribute.__func__, label)))
        elif inspect.isfunction(attribute):
            setattr(cls, name, noting(attribute, label))


# ---------------------------------------------------------------- the recording proxy

class Recorder:
    """A TCP proxy that forwards one request and one response at a time and keeps both for a file."""

    def __init__(self, directory, server, limit):
        self.directory = directory
        self.server = server
        self.limit = limit
        self.name = "start"
        self.calls = {}  # by the name of the check
        self.known = set()  # the requests that were recorded
        self.size = {}  # the bytes that are recorded of each check
        self.packings = set()  # those of the recorded answers
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.forward, args=(client,), daemon=True).start()

    def forward(self, client):
        host, port = split_address(self.server)
        with client, socket.create_connection((host, port)) as server:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            from_client, from_server = client.makefile("rb"), server.makefile("rb")
            try:
                while True:
                    request = read_message(from_client, is_response=False)
                    if not request:
                        return
                    server.sendall(request)
                    response = read_message(from_server, is_response=True)
                    if not response:
                        return
                    self.keep(request, response)
                    client.sendall(response)
                    if b"\r\nconnection: close" in response.split(b"\r\n\r\n", 1)[0].lower():
                        return
            except OSError:
                return  # one side went away; the check that waits for an answer will say so

    def keep(self, request, response):
        # the port is another one at each run
        request = request.replace(self.address.encode(), b"localhost", 1)
        if max(len(request), len(response)) >= self.limit:
            return
        with self.lock:
            # what loads and unloads needs all of its requests, and their order
            is_whole = "load" in self.name
            if request in self.known and not is_whole:
                return
            call = {**described_request(request), **described_response(response)}
            packing, size = call.get("packed"), len(json.dumps(call))
            is_new = packing and packing not in self.packings or self.name not in self.calls
            if not (is_whole or is_new or self.size[self.name] + size <= RECORD_OF_A_CHECK):
                return
            self.known.add(request)
            self.packings.add(packing)
            self.size[self.name] = self.size.get(self.name, 0) + size
            self.calls.setdefault(self.name, []).append(call)

    def write(self, versions):
        os.makedirs(self.directory, exist_ok=True)
        for name in os.listdir(self.directory):
            if name.endswith(".json"):
                os.remove(os.path.join(self.directory, name))
        for name, content in [("versions", versions), *self.calls.items()]:
            with open(os.path.join(self.directory, name.lower() + ".json"), "w", encoding="utf-8") as file:
                file.write(readable(content) + "\n")


def described_request(request):
    """The bytes of a request: the lines of its head, then its text and what is not text as base64."""
    head, body = request.split(b"\r\n\r\n", 1)
    described = {"request": head.decode("latin-1").split("\r\n")}
    length = re.search(rb"\r\ninference-header-content-length: *(\d+)", head.lower())
    end = int(length.group(1)) if length else len(body)
    for text, rest in [(body[:end], body[end:]), (b"", body)]:
        try:
            described["text"] = text.decode("utf-8")
        except UnicodeDecodeError:
            continue
        described["base64"] = base64.b64encode(rest).decode()
        break
    return {key: value for key, value in described.items() if value}


def described_response(response):
    """What an answer must be: status, media type, packing, JSON, and the elements of binary outputs."""
    head, body = response.split(b"\r\n\r\n", 1)
    headers = dict(line.lower().split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:])
    described = {"status": int(head.split(b" ")[1])}
    packing = headers.get("content-encoding")
    if packing:
        described["packed"] = packing
        body = {"gzip": gzip.decompress, "deflate": zlib.decompress}[packing](body)
    end = int(headers.get("inference-header-content-length", len(body)))
    if not body:
        return described
    described["type"] = headers["content-type"]
    if not headers["content-type"].startswith(("application/json", "application/octet-stream")):
        return described
    answer = described["json"] = json.loads(body[:end])
    if isinstance(answer, dict) and "model_stats" in answer:
        # the counters are others at each run
        answer["model_stats"] = [{key: model[key] for key in ["name", "version"]} for model in answer["model_stats"]]
    rest = body[end:]
    for output in answer.get("outputs", []) if isinstance(answer, dict) else []:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            described.setdefault("binary", []).append(elements(output["datatype"], rest[:size]))
            rest = rest[size:]
    assert not rest, f"{len(rest)} bytes behind the outputs"
    return described


def elements(datatype, data):
    """The elements of a binary output as JSON has them: each number in the fewest digits that tell it from others."""
    if datatype == "BYTES":
        texts = []
        while data:
            (length,) = struct.unpack_from("<I", data)
            texts.append(data[4 : 4 + length].decode())
            data = data[4 + length :]
        return texts
    types = {"BOOL": bool, "UINT8": np.uint8, "FP32": np.float32, "FP64": np.float64}
    return [json.loads(str(x).lower()) for x in np.frombuffer(data, types[datatype])]


def readable(value, indent=0):
    """JSON with a line for each thing that fits into one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= 118 or not isinstance(value, (dict, list)):
        return line
    if isinstance(value, list) and not any(isinstance(item, (dict, list, str)) for item in value):
        return line
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        lines = [f"{pad}{json.dumps(key, ensure_ascii=False)}: {readable(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + readable(item, indent + 1) for item in value) + "\n" + " " * indent + "]"


def split_address(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


def read_message(file, is_response):
    """The bytes of one HTTP/1.1 message, exactly as they came; empty at the end of the connection."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = file.readline()
        if not line:
            return b""
        head += line
    status = head.split(b" ", 2)[1] if is_response else b""
    if status.startswith(b"1"):
        return head + read_message(file, is_response)
    lower = head.lower()
    length = re.search(rb"\r\ncontent-length: *(\d+)", lower)
    if length:
        return head + file.read(int(length.group(1)))
    if re.search(rb"\r\ntransfer-encoding: *chunked", lower):
        body = b""
        while True:
            size = file.readline()
            body += size + file.read(int(size.split(b";")[0], 16) + 2)
            if int(size.split(b";")[0], 16) == 0:
                return head + body
    if is_response and status not in (b"204", b"304"):
        return head + file.read()
    return head


# ---------------------------------------------------------------- what the checks share

class Context:
    def __init__(self, direct, recorded):
        self.server = direct  # the address of the server itself
        self.address = recorded  # the address that the client uses: the proxy when it records
        self.client = triton.InferenceServerClient(recorded)
        # the many requests that only serve for comparison go past the recorder
        self.plain = triton.InferenceServerClient(direct)
        self.metadata = {}
        self.fields = {}

    def about(self, model):
        if model not in self.metadata:
            self.metadata[model] = self.plain.get_model_metadata(model)
        return self.metadata[model]

    def input_name(self, model):
        """The name of the only input of a model."""
        return self.about(model)["inputs"][0]["name"]

    def output_names(self, model):
        return [output["name"] for output in self.about(model)["outputs"]]

    def friendly_fields(self, model):
        """The fields as GET /v1/models tells them: the tensors alone do not tell a date from a category."""
        if not self.fields:
            status, _, body = self.exchange("GET", "/v1/models", recorded=False)
            equal(status, 200, "GET /v1/models")
            self.fields = {entry["name"]: entry["fields"] for entry in json.loads(body)["models"]}
        return self.fields[model]

    def exchange(self, method, path, body=b"", headers=None, recorded=True):
        """A request that Triton's client cannot be made to send. Gives status, headers (lower case) and body."""
        host, port = split_address(self.address if recorded else self.server)
        connection = http.client.HTTPConnection(host, port, timeout=60)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, str(value))
            if method == "POST":
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def exchange_infer(self, model, request, binary=b"", headers=None):
        """POSTs a hand-made infer request: a dict (or the text of the JSON) and the bytes after it."""
        text = (request if isinstance(request, str) else json.dumps(request)).encode()
        headers = dict(headers or {})
        if binary is not None and len(binary) > 0:
            headers.setdefault("Inference-Header-Content-Length", len(text))
        return self.exchange("POST", f"/v2/models/{model}/infer", text + (binary or b""), headers)

    def refused_exchange(self, answer, *words, status=(400, 413, 415, 422)):
        code, _, body = answer
        try:
            message = json.loads(body)["error"]
        except (ValueError, KeyError, TypeError):
            raise AssertionError(f'status {code}, and the body is not {{"error": "..."}}: {body[:200]!r}')
        assert code in status, f"status {code}, expected one of {status}; message: {message}"
        check_message(message, words)

    # -- data

    def rows(self, model, count, seed=0):
        """Input arrays by name, for a batch of `count` rows. The first rows of a larger batch are the rows of a smaller one."""
        rng = [np.random.default_rng([seed, row]) for row in range(count)]
        if model == "fashion":
            data = np.stack([r.integers(0, 256, (28, 28), dtype=np.uint8) for r in rng])
        elif model == "raw":
            data = np.stack([r.random(784, dtype=np.float32) for r in rng])
        elif model == "numbers":
            data = np.stack([r.standard_normal(4, dtype=np.float32) for r in rng])
        elif model == "texts":
            words = ["running", "shoes", "grüne", "coat", "the", "great", "terrible", "靴", "👟", "\"quoted\"", "new\nline", ""]
            data = byte_array([" ".join(r.choice(words, r.integers(0, 9))) for r in rng])
        else:
            return {field["name"]: column(field, rng) for field in self.friendly_fields(model)}
        return {self.input_name(model): data}

    def infer_inputs(self, model, arrays, binary=True):
        """InferInputs for the arrays, in the order of the metadata. `binary` may be a list with one entry for each input."""
        inputs = []
        for i, about in enumerate(self.about(model)["inputs"]):
            array = arrays[about["name"]]
            one = InferInput(about["name"], list(array.shape), about["datatype"])
            one.set_data_from_numpy(array, binary_data=binary[i] if isinstance(binary, list) else binary)
            inputs.append(one)
        return inputs

    def infer(self, model, count=1, binary=True, client=None, arrays=None, **options):
        arrays = self.rows(model, count) if arrays is None else arrays
        return (client or self.client).infer(model, self.infer_inputs(model, arrays, binary), **options)

    def all_outputs(self, model, binary):
        return [InferRequestedOutput(name, binary_data=binary) for name in self.output_names(model)]

    def expected(self, model, count=1, arrays=None):
        """The outputs as arrays by name, asked for in binary."""
        result = self.infer(model, count, client=self.plain, arrays=arrays)
        return {name: result.as_numpy(name) for name in self.output_names(model)}

    def agrees(self, result, expected, what, names=None):
        """The result holds exactly these outputs, well formed, with these bits."""
        answer = result.get_response()
        names = list(expected) if names is None else names
        equal([output["name"] for output in answer["outputs"]], names, f"{what}: names of the outputs in their order")
        for output in answer["outputs"]:
            in_binary = "binary_data_size" in output.get("parameters", {})
            assert in_binary != ("data" in output), f"{what}: {output['name']} must have either data or binary_data_size"
            same_bits(result.as_numpy(output["name"]), expected[output["name"]], f"{what}: {output['name']}")


def byte_array(texts):
    array = np.empty(len(texts), dtype=object)
    array[:] = [text.encode() for text in texts]
    return array


def column(field, rng):
    """One value of a field of the model `table` for each generator."""
    kind = field["type"]
    if kind == "number":
        return np.array([r.normal(20.0, 10.0) for r in rng], dtype=np.float64)
    if kind == "boolean":
        return np.array([bool(r.integers(0, 2)) for r in rng], dtype=bool)
    if kind == "category":
        categories = field["categories"] or ["a", "b"]
        return byte_array([categories[r.integers(0, len(categories))] for r in rng])
    if kind == "date":
        days = [time.gmtime(86400 * int(r.integers(11000, 20000))) for r in rng]
        return byte_array([time.strftime(field["format"], day) for day in days])
    raise AssertionError(f"the model table has a field of type {kind}, this script knows number, boolean, category and date")


def png(grey):
    """An 8-bit grey PNG file of an array of rows."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = grey.shape
    lines = b"".join(b"\0" + line.tobytes() for line in grey)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


# ---------------------------------------------------------------- health, metadata, configuration

@check
def server_live(t):
    assert t.client.is_server_live() is True
    assert t.client.is_server_live(headers={"X-Anything": "1"}, query_params={"a b": ["1", "ä&="], "c": True}) is True


@check
def server_ready(t):
    assert t.client.is_server_ready() is True
    assert t.client.is_server_ready(query_params={}) is True


@check_each(*MODELS)
def model_ready(t, model):
    assert t.client.is_model_ready(model) is True
    assert t.client.is_model_ready(model, t.about(model)["versions"][0]) is True
    assert t.client.is_model_ready(model, WRONG_VERSION) is False


@check
def unknown_model_is_not_ready(t):
    for name in ["no-such-model", "no such model é", "fashion/x", "Fashion"]:
        assert t.client.is_model_ready(name) is False, name


@check
def server_metadata(t):
    answer = t.client.get_server_metadata(query_params={"x": "y"})
    assert isinstance(answer["name"], str) and answer["name"]
    assert isinstance(answer["version"], str) and answer["version"]
    extensions = answer["extensions"]
    for name in ["binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics"]:
        assert name in extensions, f"{name} is not among the extensions {extensions}"
    for name in ["sequence", "system_shared_memory", "cuda_shared_memory", "trace", "logging"]:
        assert name not in extensions, f"the server claims the extension {name}, which it refuses"


@check_each(*MODELS)
def model_metadata(t, model):
    answer = t.client.get_model_metadata(model)
    equal(answer["name"], model, "name")
    assert isinstance(answer["platform"], str) and answer["platform"]
    assert answer["versions"] and all(isinstance(v, str) and v for v in answer["versions"]), answer["versions"]
    for tensor in answer["inputs"] + answer["outputs"]:
        assert isinstance(tensor["name"], str) and isinstance(tensor["datatype"], str), tensor
        assert all(type(n) is int for n in tensor["shape"]) and tensor["shape"][0] == -1, tensor
    equal(t.client.get_model_metadata(model, answer["versions"][0]), answer, "metadata of the version that there is")

    inputs = [(tensor["datatype"], tensor["shape"]) for tensor in answer["inputs"]]
    outputs = [(tensor["name"], tensor["datatype"], tensor["shape"]) for tensor in answer["outputs"]]
    if model == "fashion":
        equal(inputs, [("UINT8", [-1, 28, 28])], "inputs")
    elif model == "texts":
        equal(inputs, [("BYTES", [-1])], "inputs")
    elif model == "raw":
        equal(inputs, [("FP32", [-1, 784])], "inputs")
        equal([output[1:] for output in outputs], [("FP32", [-1, 10])], "outputs")
    elif model == "numbers":
        equal(inputs, [("FP32", [-1, 4])], "inputs")
        equal(outputs, [("values", "FP64", [-1, 2])], "outputs")
    else:
        types = {"number": "FP64", "boolean": "BOOL", "category": "BYTES", "date": "BYTES"}
        fields = t.friendly_fields(model)
        equal([tensor["name"] for tensor in answer["inputs"]], [field["name"] for field in fields], "names of the inputs")
        equal(inputs, [(types[field["type"]], [-1]) for field in fields], "inputs")
    if model in CLASSIFIERS:
        classes = outputs[0][2][-1]
        equal(outputs, [("probabilities", "FP32", [-1, classes]), ("class", "BYTES", [-1])], "outputs")
        assert classes > 1, outputs
    if model == "fashion":
        equal(outputs[0][2], [-1, 10], "shape of the probabilities")


@check_each(*MODELS)
def model_config(t, model):
    answer = t.client.get_model_config(model)
    equal(answer["name"], model, "name")
    about = t.about(model)
    for side in ["input", "output"]:
        tensors = about[side + "s"]
        equal([tensor["name"] for tensor in answer[side]], [tensor["name"] for tensor in tensors], f"names of {side}")
        for got, tensor in zip(answer[side], tensors):
            data_type = {"BYTES": "TYPE_STRING"}.get(tensor["datatype"], "TYPE_" + tensor["datatype"])
            equal(got["data_type"], data_type, f"data_type of {tensor['name']}")
            if answer["max_batch_size"] > 0:  # then the dimensions are those of one row; Triton has no empty ones
                allowed = [tensor["shape"][1:]] + ([[1]] if len(tensor["shape"]) == 1 else [])
            else:
                allowed = [tensor["shape"]]
            assert got["dims"] in allowed, f"dims of {tensor['name']}: got {got['dims']}, expected {allowed}"
    equal(t.client.get_model_config(model, about["versions"][0]), answer, "config of the version that there is")


@check
def answers_about_models_are_never_compressed(t):
    """The client decompresses nothing but the answer of infer."""
    headers = {"Accept-Encoding": "gzip, deflate"}
    equal(t.client.get_model_metadata("fashion", headers=headers)["name"], "fashion", "name")
    assert t.client.get_server_metadata(headers=headers)["extensions"]
    equal(t.client.get_model_config("fashion", headers=headers)["name"], "fashion", "name")
    assert t.client.get_inference_statistics(headers=headers)["model_stats"]
    assert t.client.get_model_repository_index(headers=headers)


# ---------------------------------------------------------------- unknown models and versions

@check_each("no-such-model", "no such model é", "no/such/model")
def unknown_model(t, name):
    words = [] if "/" in name else [name]  # the client does not quote a slash: that is another route
    arrays = t.rows("fashion", 1)
    refused(lambda: t.client.infer(name, t.infer_inputs("fashion", arrays)), *words, status="404")
    refused(lambda: t.client.get_model_metadata(name), *words, status="404")
    refused(lambda: t.client.get_model_config(name), *words, status="404")
    refused(lambda: t.client.get_inference_statistics(name), *words, status="404")


@check_each(*MODELS)
def version(t, model):
    right = t.about(model)["versions"][0]
    expected = t.expected(model, 2)
    result = t.infer(model, 2, model_version=right)
    t.agrees(result, expected, "the right version")
    equal(result.get_response()["model_version"], right, "model_version of the answer")
    refused(lambda: t.infer(model, 2, model_version=WRONG_VERSION), WRONG_VERSION, status="404")
    refused(lambda: t.client.get_model_metadata(model, WRONG_VERSION), WRONG_VERSION, status="404")
    refused(lambda: t.client.get_model_config(model, WRONG_VERSION), WRONG_VERSION, status="404")
    refused(lambda: t.client.get_inference_statistics(model, WRONG_VERSION), WRONG_VERSION, status="404")


@check
def version_must_be_a_string(t):
    refused_by_client(lambda: t.client.is_model_ready("fashion", 1), "string")
    refused_by_client(lambda: t.client.get_model_metadata("fashion", 1), "string")
    refused_by_client(lambda: t.client.get_inference_statistics("fashion", 1), "string")
    refused_by_client(lambda: t.infer("fashion", model_version=1), "string")
    refused(lambda: t.client.get_model_config("fashion", 123456789), "123456789", status="404")  # this one is sent


# ---------------------------------------------------------------- inference: values

@check_each(*MODELS)
def json_and_binary_agree(t, model):
    for count in [1, 3]:
        expected = t.expected(model, count)
        for binary_in in [True, False]:
            for binary_out in [True, False]:
                result = t.infer(model, count, binary_in, outputs=t.all_outputs(model, binary_out))
                t.agrees(result, expected, f"{count} rows, binary in {binary_in}, binary out {binary_out}")
                for output in result.get_response()["outputs"]:
                    equal("data" in output, not binary_out, f"{output['name']} is in the JSON")
            t.agrees(t.infer(model, count, binary_in), expected, f"{count} rows, binary in {binary_in}, outputs not named")


@check_each(*MODELS)
def types_and_shapes_of_the_answer(t, model):
    for count in [1, 3]:
        result = t.infer(model, count, request_id="seven")
        answer = result.get_response()
        equal(answer["model_name"], model, "model_name")
        equal(answer["model_version"], t.about(model)["versions"][0], "model_version")
        equal(answer["id"], "seven", "id")
        for about in t.about(model)["outputs"]:
            output = result.get_output(about["name"])
            equal(output["datatype"], about["datatype"], f"datatype of {about['name']}")
            equal(output["shape"], [count] + about["shape"][1:], f"shape of {about['name']}")
            array = result.as_numpy(about["name"])
            if about["datatype"] == "BYTES":
                assert all(isinstance(x, bytes) for x in array.ravel()), array
            else:
                assert np.isfinite(array).all(), array
        assert result.as_numpy("no-such-output") is None
        assert result.get_output("no-such-output") is None


@check_each(*CLASSIFIERS)
def class_is_the_most_probable(t, model):
    arrays = t.rows(model, 64)
    out = t.expected(model, 64)
    probabilities = out["probabilities"]
    assert (probabilities >= 0).all() and (probabilities <= 1).all(), probabilities
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5), probabilities.sum(axis=1)
    labels = all_labels(t, model, arrays)
    equal(strings(out["class"]), [labels[i] for i in probabilities.argmax(axis=1)], "class")
    if model == "fashion":
        equal(sorted(labels.values()), sorted(FASHION), "labels")


def all_labels(t, model, arrays):
    """Label by index, from a classification of all classes."""
    classes = t.about(model)["outputs"][0]["shape"][-1]
    wanted = [InferRequestedOutput("probabilities", class_count=classes)]
    top = t.infer(model, arrays=arrays, outputs=wanted, client=t.plain).as_numpy("probabilities")
    labels = {}
    for text in strings(top):
        _, index, label = text.split(":", 2)
        equal(labels.setdefault(int(index), label), label, f"label of class {index}")
    equal(sorted(labels), list(range(classes)), "indices of the classes")
    return labels


@check_each(*MODELS)
def batches_equal_single_rows(t, model):
    arrays = t.rows(model, 64)
    single = []
    for row in range(64):
        one = {name: array[row : row + 1] for name, array in arrays.items()}
        single.append(t.expected(model, arrays=one))
    for count in [1, 3, 64]:
        result = t.infer(model, arrays={name: array[:count] for name, array in arrays.items()})
        for name in t.output_names(model):
            expected = np.concatenate([row[name] for row in single[:count]])
            same_bits(result.as_numpy(name), expected, f"{name} of {count} rows and of single rows")


@check_each("fashion", "texts", "table", "numbers")
def friendly_route_agrees(t, model):
    """POST /v1/predict gives the same answers in its own words."""
    arrays, out = t.rows(model, 3), t.expected(model, 3)
    rows = []
    for i in range(3):
        row = {}
        for name, array in arrays.items():
            value = array[i]
            if model == "fashion":
                value = base64.b64encode(png(value)).decode()
            row[name] = value.decode() if isinstance(value, bytes) else value if isinstance(value, str) else value.tolist()
        rows.append(row)
    headers = {"Content-Type": "application/json"}
    status, _, body = t.exchange("POST", f"/v1/predict/{model}", json.dumps({"rows": rows}).encode(), headers, recorded=False)
    equal(status, 200, f"status, with the body {body[:300]!r}")
    answers = json.loads(body)["answers"]
    equal(len(answers), 3, "number of answers")
    for i, answer in enumerate(answers):
        if model == "numbers":
            got = answer["numbers"]
            got = list(got.values()) if isinstance(got, dict) else got
            assert np.allclose(got, out["values"][i], rtol=1e-6), (got, out["values"][i])
        else:
            equal(answer["class"], strings(out["class"])[i], f"class of row {i}")
            assert abs(answer["probability"] - out["probabilities"][i].max()) < 1e-6, answer


@check
def bytes_as_numpy_strings(t):
    """Arrays of dtype S: the client cuts off their zeros at the end, nothing else."""
    name = t.input_name("texts")
    texts = ["running shoes", "a great coat"]
    expected = t.expected("texts", arrays={name: byte_array(texts)})
    for binary in [True, False]:
        fixed = np.array([text.encode() for text in texts], dtype="S")
        t.agrees(t.infer("texts", binary=binary, arrays={name: fixed}), expected, f"dtype S, binary {binary}")
        words = np.array(texts, dtype=object)  # str instead of bytes
        t.agrees(t.infer("texts", binary=binary, arrays={name: words}), expected, f"dtype object of str, binary {binary}")


@check
def binary_and_json_inputs_in_one_request(t):
    expected = t.expected("table", 3)
    count = len(t.about("table")["inputs"])
    for first in [True, False]:
        binary = [(i % 2 == 0) == first for i in range(count)]
        t.agrees(t.infer("table", 3, binary), expected, f"binary inputs {binary}")


@check
def inputs_in_another_order(t):
    expected = t.expected("table", 3)
    inputs = t.infer_inputs("table", t.rows("table", 3))
    t.agrees(t.client.infer("table", inputs[::-1]), expected, "inputs in reverse order, binary")
    inputs = t.infer_inputs("table", t.rows("table", 3), binary=False)
    t.agrees(t.client.infer("table", inputs[::-1]), expected, "inputs in reverse order, JSON")


@check
def nested_data(t):
    """Triton's client sends flat data; other clients nest it by the shape."""
    array = t.rows("raw", 2)[t.input_name("raw")]
    expected = t.expected("raw", 2)
    for data in [array.tolist(), array.ravel().tolist()]:
        tensor = {"name": t.input_name("raw"), "shape": [2, 784], "datatype": "FP32", "data": data}
        status, headers, body = t.exchange_infer("raw", {"inputs": [tensor]})
        equal(status, 200, f"status, with the body {body[:300]!r}")
        assert "inference-header-content-length" not in headers, "the answer is JSON alone"
        assert headers["content-type"].startswith("application/json"), headers["content-type"]
        t.agrees(t.client.parse_response_body(body), expected, "hand-made JSON")


@check
def without_wishes_the_answer_is_json(t):
    """No outputs (or an empty list) means all; without binary_data_output they come as JSON."""
    arrays, expected = t.rows("fashion", 2), t.expected("fashion", 2)
    data = arrays[t.input_name("fashion")].ravel().tolist()
    tensor = {"name": t.input_name("fashion"), "shape": [2, 28, 28], "datatype": "UINT8", "data": data}
    cases = [
        ({}, [False, False]),
        ({"outputs": []}, [False, False]),
        ({"parameters": {"binary_data_output": False}}, [False, False]),
        ({"outputs": [{"name": "probabilities"}, {"name": "class"}]}, [False, False]),
        ({"outputs": [{"name": "probabilities"}, {"name": "class", "parameters": {"binary_data": True}}]}, [False, True]),
        ({"outputs": [], "parameters": {"binary_data_output": True}}, [True, True]),
        (
            {
                "outputs": [{"name": "probabilities"}, {"name": "class", "parameters": {"binary_data": False}}],
                "parameters": {"binary_data_output": True},
            },
            [True, False],
        ),
    ]
    for wishes, binary in cases:
        status, headers, body = t.exchange_infer("fashion", {"inputs": [tensor], **wishes})
        equal(status, 200, f"status for {wishes}, with the body {body[:300]!r}")
        length = headers.get("inference-header-content-length")
        equal(length is not None, any(binary), f"Inference-Header-Content-Length is there for {wishes}")
        result = t.client.parse_response_body(body, header_length=length)
        t.agrees(result, expected, f"wishes {wishes}")
        got = ["data" not in output for output in result.get_response()["outputs"]]
        equal(got, binary, f"binary outputs for {wishes}")


@check_each("fashion", "texts", "table")
def outputs_in_the_order_asked(t, model):
    expected = t.expected(model, 3)
    for names in [["class"], ["probabilities"], ["class", "probabilities"], ["probabilities", "class"]]:
        for binary in [[True, True], [False, False], [True, False], [False, True]]:
            outputs = [InferRequestedOutput(name, binary_data=b) for name, b in zip(names, binary)]
            t.agrees(t.infer(model, 3, outputs=outputs), expected, f"outputs {names} binary {binary}", names)
    t.agrees(t.infer(model, 3, outputs=[]), expected, "an empty list of outputs")


@check
def ids(t):
    for identifier in ["1", "a b/c", "ä 😀 \"\\", "x" * 300]:
        for binary in [True, False]:
            result = t.infer("numbers", binary=binary, request_id=identifier, outputs=t.all_outputs("numbers", binary))
            equal(result.get_response()["id"], identifier, "id")
    assert t.infer("numbers").get_response().get("id") in (None, ""), "an id that nobody gave"


@check
def parameters_that_change_nothing(t):
    expected = t.expected("numbers", 3)
    parameters = {"word": "ä", "whole": 3, "broken": 0.5, "yes": True, "binary_data": "no"}
    t.agrees(t.infer("numbers", 3, parameters=parameters), expected, "custom parameters")
    t.agrees(t.infer("numbers", 3, priority=1, timeout=30_000_000), expected, "priority and timeout")
    t.agrees(t.infer("numbers", 3, query_params={"a b": ["1", 2]}, headers={"X-Anything": "é"}), expected, "query and headers")
    for name in ["priority", "timeout", "sequence_id", "binary_data_output", "headers", "triton_anything"]:
        refused_by_client(lambda: t.infer("numbers", parameters={name: 1}), name, "reserved")


# ---------------------------------------------------------------- inference: classification

def check_classification(t, model, output, k, binary, count=3):
    values = t.expected(model, count)[output]
    wanted = [InferRequestedOutput(output, binary_data=binary, class_count=k)]
    result = t.infer(model, count, outputs=wanted)
    equal(result.get_output(output)["datatype"], "BYTES", "datatype of a classification")
    top = result.as_numpy(output)
    classes = values.shape[1]
    equal(top.shape, (count, min(k, classes)), f"shape of class_count {k}")
    for row in range(count):
        parts = [text.split(":", 2) for text in strings(top[row])]
        order = [int(part[1]) for part in parts]
        equal(len(set(order)), len(order), f"row {row} repeats a class: {order}")
        for part, index in zip(parts, order):
            score, value = float(part[0]), float(values[row, index])
            assert abs(score - value) <= 1e-6 + 1e-6 * abs(value), f"score {score} of class {index}, whose value is {value}"
        assert all(values[row, a] >= values[row, b] for a, b in zip(order, order[1:])), f"row {row} is not sorted: {parts}"
        equal(values[row, order[0]], values[row].max(), f"the best value of row {row}")
        if len(order) < classes:
            rest = np.delete(values[row], order).max()
            assert values[row, order[-1]] >= rest, f"row {row} leaves out a better class: {parts}"
    return strings(top)


@check_each(*CLASSIFIERS)
def class_count(t, model):
    classes = t.about(model)["outputs"][0]["shape"][-1]
    labels = all_labels(t, model, t.rows(model, 3))
    for k in [1, 2, classes, classes + 100, 2**31 - 1]:
        binary = check_classification(t, model, "probabilities", k, binary=True)
        as_json = check_classification(t, model, "probabilities", k, binary=False)
        equal(as_json, binary, "classification in JSON and in binary")
        for text in binary:
            parts = text.split(":", 2)
            equal(len(parts), 3, f"score:index:label, got {text!r}")
            equal(parts[2], labels[int(parts[1])], f"label of {text!r}")
    if model == "fashion":
        assert set(labels.values()) == set(FASHION), labels


@check
def class_count_without_labels(t):
    output = t.output_names("raw")[0]
    for text in check_classification(t, "raw", output, 3, binary=True):
        assert len(text.split(":")) == 2, f"a model without labels answers score:index, got {text!r}"
    check_classification(t, "raw", output, 3, binary=False)


@check
def class_count_beside_other_outputs(t):
    expected = t.expected("fashion", 3)
    outputs = [InferRequestedOutput("class"), InferRequestedOutput("probabilities", class_count=2)]
    result = t.infer("fashion", 3, outputs=outputs)
    same_bits(result.as_numpy("class"), expected["class"], "class")
    best = [text.split(":", 2)[2] for text in strings(result.as_numpy("probabilities")[:, 0])]
    equal(best, strings(expected["class"]), "the best label of the classification")


@check
def class_count_refused(t):
    """Of texts there is no order; and less than one class is none."""
    refused(lambda: t.infer("fashion", outputs=[InferRequestedOutput("class", class_count=2)]), "class", "BYTES")
    refused(lambda: t.infer("fashion", outputs=[InferRequestedOutput("probabilities", class_count=-1)]), "classification")


# ---------------------------------------------------------------- inference: compression

@check_each("gzip", "deflate")
def request_compression(t, algorithm):
    for model in MODELS:
        expected = t.expected(model, 3)
        for binary in [True, False]:
            result = t.infer(
                model, 3, binary, outputs=t.all_outputs(model, binary), request_compression_algorithm=algorithm
            )
            t.agrees(result, expected, f"{model}, request in {algorithm}, binary {binary}")


@check_each("gzip", "deflate")
def response_compression(t, algorithm):
    for model in MODELS:
        for count in [1, 64]:
            expected = t.expected(model, count)
            for binary in [True, False]:
                for request in [None, algorithm]:
                    result = t.infer(
                        model, count, outputs=t.all_outputs(model, binary),
                        request_compression_algorithm=request, response_compression_algorithm=algorithm,
                    )
                    t.agrees(result, expected, f"{model}, response in {algorithm}, request in {request}, binary {binary}")


@check_each("gzip", "deflate")
def response_is_really_compressed(t, algorithm):
    expected = t.expected("fashion", 64)
    for binary in [True, False]:
        body, size = t.client.generate_request_body(
            t.infer_inputs("fashion", t.rows("fashion", 64)), outputs=t.all_outputs("fashion", binary)
        )
        headers = {"Inference-Header-Content-Length": size, "Accept-Encoding": algorithm}
        status, headers, answer = t.exchange("POST", "/v2/models/fashion/infer", body, headers)
        equal(status, 200, f"status, with the body {answer[:300]!r}")
        equal(headers.get("content-encoding"), algorithm, "Content-Encoding of a long answer")
        result = t.client.parse_response_body(
            answer, header_length=headers.get("inference-header-content-length"), content_encoding=algorithm
        )
        t.agrees(result, expected, f"response in {algorithm}, binary {binary}")


@check
def uncompressed_unless_asked(t):
    body, size = t.client.generate_request_body(t.infer_inputs("fashion", t.rows("fashion", 64)))
    headers = {"Inference-Header-Content-Length": size, "Accept-Encoding": "br, zstd"}
    status, headers, answer = t.exchange("POST", "/v2/models/fashion/infer", body, headers)
    equal(status, 200, "status")
    assert headers.get("content-encoding") in (None, "identity"), headers.get("content-encoding")
    result = t.client.parse_response_body(answer, header_length=headers["inference-header-content-length"])
    t.agrees(result, t.expected("fashion", 64), "an answer for a client that knows only br and zstd")


@check_each("gzip", "deflate")
def errors_are_never_compressed(t, algorithm):
    call = lambda: t.client.infer(
        "no-such-model", t.infer_inputs("fashion", t.rows("fashion", 1)),
        request_compression_algorithm=algorithm, response_compression_algorithm=algorithm,
    )
    refused(call, "no-such-model", status="404")


@check
def broken_compression(t):
    refused(lambda: t.infer("fashion", headers={"Content-Encoding": "gzip"}), "gzip")
    refused(lambda: t.infer("fashion", headers={"Content-Encoding": "deflate"}), "deflate")
    refused(lambda: t.infer("fashion", headers={"Content-Encoding": "zebra"}), "zebra")
    body, size = t.client.generate_request_body(t.infer_inputs("fashion", t.rows("fashion", 1)))
    headers = {"Inference-Header-Content-Length": size, "Content-Encoding": "gzip"}
    answer = t.exchange("POST", "/v2/models/fashion/infer", gzip.compress(body, mtime=0)[:-20], headers)
    t.refused_exchange(answer)  # its end is missing


# ---------------------------------------------------------------- inference: the body made by hand

@check
def generate_and_parse_bodies(t):
    """The user may send the request himself."""
    for model in MODELS:
        expected = t.expected(model, 2)
        inputs = t.infer_inputs(model, t.rows(model, 2))
        body, size = t.client.generate_request_body(inputs, request_id="mine", parameters={"a": 1})
        assert 0 < size < len(body)
        path = f"/v2/models/{model}/infer"
        # header names in another case, and a Content-Type, must make no difference
        headers = {"inference-header-content-length": size, "content-type": "application/octet-stream"}
        status, headers, answer = t.exchange("POST", path, body, headers)
        equal(status, 200, f"status, with the body {answer[:300]!r}")
        length = int(headers["inference-header-content-length"])
        result = t.client.parse_response_body(answer, header_length=length)
        t.agrees(result, expected, model)
        equal(result.get_response()["id"], "mine", "id")
        t.agrees(triton.InferResult.from_response_body(answer, False, length), expected, model)

        inputs = t.infer_inputs(model, t.rows(model, 2), binary=False)
        body, size = t.client.generate_request_body(inputs, outputs=t.all_outputs(model, False))
        equal(size, None, "length of the header of a request in JSON")
        status, headers, answer = t.exchange("POST", path, body)
        equal(status, 200, f"status, with the body {answer[:300]!r}")
        assert "inference-header-content-length" not in headers
        t.agrees(t.client.parse_response_body(answer), expected, model)


@check
def raw_binary_request(t):
    """A length of 0 means a body without JSON: the data of the model's only input, as Triton has it."""
    for model in ["fashion", "texts", "raw", "numbers"]:
        arrays, expected = t.rows(model, 3), t.expected(model, 3)
        [one] = t.infer_inputs(model, arrays)
        body, size = t.client.generate_request_body([one])
        headers = {"Inference-Header-Content-Length": 0}
        status, headers, answer = t.exchange("POST", f"/v2/models/{model}/infer", body[size:], headers)
        equal(status, 200, f"status, with the body {answer[:300]!r}")
        result = t.client.parse_response_body(answer, header_length=headers.get("inference-header-content-length"))
        t.agrees(result, expected, model)


@check
def wrong_header_length(t):
    for value in ["999999", "10", "0", "-1", "abc", "99999999999999999999999999"]:
        headers = {"Inference-Header-Content-Length": value}
        # a user who gives one dict of headers to two calls sends the length of the first with the second
        call = lambda: t.infer("fashion", binary=False, headers=dict(headers))
        # 0 and 10 are lengths that can be: there it is what follows that is broken
        refused(call, *([] if value in ["0", "10"] else ["Inference-Header-Content-Length"]))
        # with a request that has no body the length means nothing
        equal(t.client.get_model_metadata("fashion", headers=dict(headers))["name"], "fashion", "name")


@check
def wrong_amount_of_binary_data(t):
    name = t.input_name("raw")
    data = t.rows("raw", 1)[name].tobytes()

    def tensor(size, shape=(1, 784)):
        return {"inputs": [{"name": name, "shape": list(shape), "datatype": "FP32", "parameters": {"binary_data_size": size}}]}

    equal(t.exchange_infer("raw", tensor(3136), data)[0], 200, "status of a right request")
    t.refused_exchange(t.exchange_infer("raw", tensor(3136), data[:-1]), "3136", "3135")
    t.refused_exchange(t.exchange_infer("raw", tensor(3136), data + b"\0"), "1")
    t.refused_exchange(t.exchange_infer("raw", tensor(3132), data[:-4]), name)
    t.refused_exchange(t.exchange_infer("raw", tensor(3140), data + b"\0\0\0\0"), name)
    t.refused_exchange(t.exchange_infer("raw", tensor(-1), data), "binary_data_size")
    t.refused_exchange(t.exchange_infer("raw", tensor(2**63), data))
    t.refused_exchange(t.exchange_infer("raw", tensor("3136"), data), "binary_data_size")
    t.refused_exchange(t.exchange_infer("raw", tensor(3136), None), name)


@check
def wrong_bytes(t):
    name = t.input_name("texts")

    def send(binary, shape):
        tensor = {"name": name, "shape": shape, "datatype": "BYTES", "parameters": {"binary_data_size": len(binary)}}
        return t.exchange_infer("texts", {"inputs": [tensor]}, binary)

    good = struct.pack("<I", 5) + b"shoes"
    equal(send(good, [1])[0], 200, "status of a right request")
    equal(send(good + good, [2])[0], 200, "status of a right request")
    t.refused_exchange(send(struct.pack("<I", 6) + b"shoes", [1]), name)  # one byte is missing
    t.refused_exchange(send(struct.pack("<I", 0xFFFFFFFF) + b"shoes", [1]), name)
    t.refused_exchange(send(good + b"\1\0\0", [1]), name)
    t.refused_exchange(send(good, [2]), name, "1", "2")
    t.refused_exchange(send(good + good, [1]), name, "2", "1")
    broken = byte_array(["x", "y"])
    broken[1] = b"\xff\xfe"
    refused(lambda: t.infer("texts", arrays={name: broken}), name, "UTF-8")
    refused_by_client(lambda: t.infer("texts", binary=False, arrays={name: broken}), "UTF-8")


@check
def not_json(t):
    for text in ["", "{", "[]", "null", "7", '"inputs"', "{}", '{"inputs": 3}', '{"inputs": [3]}', '{"inputs": [{}]}', "é\0",
                 '{"inputs": {"name": "x"}}', "[" * 100_000, '{"inputs":' * 20_000]:
        t.refused_exchange(t.exchange_infer("fashion", text))
    t.refused_exchange(t.exchange("POST", "/v2/models/fashion/infer", b"\xff\xfe{}"))
    equal(t.exchange("GET", "/v2/health/live")[0], 200, "the server is alive after all that")


@check
def wrong_json_values(t):
    name, raw = t.input_name("fashion"), t.input_name("raw")

    def image(first, count=784, shape=(1, 28, 28)):
        data = [first] + [0] * (count - 1)
        return {"inputs": [{"name": name, "shape": list(shape), "datatype": "UINT8", "data": data}]}

    equal(t.exchange_infer("fashion", image(255))[0], 200, "status of a right request")
    for value in [256, -1, 0.5, "7", None, [[]], {}]:
        t.refused_exchange(t.exchange_infer("fashion", image(value)), name)
    t.refused_exchange(t.exchange_infer("fashion", image(0, 783)), name, "783", "784")
    t.refused_exchange(t.exchange_infer("fashion", image(0, 785)), name, "785", "784")
    tensor = {"name": raw, "shape": [1, 784], "datatype": "FP32", "data": "0" * 784}
    t.refused_exchange(t.exchange_infer("raw", {"inputs": [tensor]}), "data")
    tensor = {"name": t.input_name("texts"), "shape": [1], "datatype": "BYTES", "data": [7]}
    t.refused_exchange(t.exchange_infer("texts", {"inputs": [tensor]}), t.input_name("texts"))


@check
def not_a_number(t):
    """The client writes NaN and Infinity into JSON as they stand. Answered as in binary, or refused, but never a failure."""
    name = t.input_name("numbers")
    for value in [np.nan, np.inf, -np.inf]:
        array = np.array([[1, value, 3, 4]], dtype=np.float32)
        results = []
        for binary in [True, False]:
            try:
                results.append(t.infer("numbers", binary=binary, arrays={name: array}).as_numpy("values"))
            except InferenceServerException as e:
                assert e.status().startswith("4"), f"{value}, binary {binary}: {e}"
                check_message(e.message(), [])
        if len(results) == 2:
            same_bits(results[1], results[0], f"{value} in JSON and in binary")


# ---------------------------------------------------------------- inference: refusals

def one_input(t, model, name=None, datatype=None, array=None):
    """One InferInput; what is not given is right for the model."""
    array = t.rows(model, 1)[t.input_name(model)] if array is None else array
    datatype = datatype or t.about(model)["inputs"][0]["datatype"]
    return InferInput(name or t.input_name(model), list(array.shape), datatype).set_data_from_numpy(array)


@check_each("FP64", "FP16", "BF16", "UINT8", "INT64", "BOOL", "BYTES")
def wrong_datatype(t, datatype):
    types = {"FP64": np.float64, "FP16": np.float16, "BF16": ml_dtypes.bfloat16, "UINT8": np.uint8, "INT64": np.int64,
             "BOOL": bool, "BYTES": object}
    array = np.zeros((1, 784)).astype(types[datatype])
    call = lambda: t.client.infer("raw", [one_input(t, "raw", datatype=datatype, array=array)])
    refused(call, t.input_name("raw"), datatype, "FP32")


@check
def wrong_datatype_of_an_image_and_a_text(t):
    array = np.zeros((1, 28, 28), dtype=np.float32)
    refused(lambda: t.client.infer("fashion", [one_input(t, "fashion", datatype="FP32", array=array)]), "FP32", "UINT8")
    array = np.zeros(1, dtype=np.int32)
    refused(lambda: t.client.infer("texts", [one_input(t, "texts", datatype="INT32", array=array)]), "INT32", "BYTES")
    tensor = {"name": t.input_name("raw"), "shape": [1, 784], "datatype": "FP31", "data": [0.0] * 784}
    t.refused_exchange(t.exchange_infer("raw", {"inputs": [tensor]}), "FP31")


@check
def wrong_shape(t):
    name = t.input_name("raw")
    for shape in [(1, 783), (784,), (1, 28, 28), (1, 1, 784), (784, 1)]:
        array = np.zeros(shape, dtype=np.float32)
        refused(lambda: t.client.infer("raw", [one_input(t, "raw", array=array)]), name, "784", "shape")
    array = np.zeros((1, 28, 29), dtype=np.uint8)
    refused(lambda: t.client.infer("fashion", [one_input(t, "fashion", array=array)]), t.input_name("fashion"), "28", "29")
    array = np.zeros((2, 28, 28, 1), dtype=np.uint8)
    refused(lambda: t.client.infer("fashion", [one_input(t, "fashion", array=array)]), t.input_name("fashion"), "28")


@check
def shape_that_is_not_that_of_the_data(t):
    name = t.input_name("raw")
    rows = [2, -1, 2**40, 2**62, 2**63, 2**70, 1.5, "1", None]
    for shape in [[], *[[count, 784] for count in rows]]:
        for binary in [True, False]:
            one = InferInput(name, [1, 784], "FP32").set_data_from_numpy(t.rows("raw", 1)[name], binary_data=binary)
            equal(one.set_shape(shape).shape(), shape, "the shape that was set")
            refused(lambda: t.client.infer("raw", [one]))
    equal(t.client.is_server_live(), True, "the server is alive after all that")


@check
def no_rows(t):
    """A batch of no rows gives outputs of no rows, or an error that says so."""
    for model in ["raw", "texts", "numbers"]:
        arrays = {name: array[:0] for name, array in t.rows(model, 1).items()}
        for binary in [True, False]:
            try:
                result = t.infer(model, binary=binary, arrays=arrays, outputs=t.all_outputs(model, binary))
            except InferenceServerException as e:
                assert e.status().startswith("4"), e
                check_message(e.message(), [])
                continue
            for about in t.about(model)["outputs"]:
                equal(result.as_numpy(about["name"]).shape, tuple([0] + about["shape"][1:]), f"shape of {about['name']}")


@check
def missing_input(t):
    inputs = t.infer_inputs("table", t.rows("table", 1))
    for i, one in enumerate(inputs):
        refused(lambda: t.client.infer("table", inputs[:i] + inputs[i + 1 :]), one.name())
    for model in MODELS:
        refused(lambda: t.client.infer(model, []), t.input_name(model))


@check
def input_without_data(t):
    name = t.input_name("raw")
    refused(lambda: t.client.infer("raw", [InferInput(name, [1, 784], "FP32")]), name, "data")


@check
def unknown_input(t):
    array = t.rows("raw", 1)[t.input_name("raw")]
    refused(lambda: t.client.infer("raw", [one_input(t, "raw", name="no-such-input", array=array)]), "no-such-input")
    inputs = [one_input(t, "raw"), one_input(t, "raw", name="one-too-many", array=array)]
    refused(lambda: t.client.infer("raw", inputs), "one-too-many")
    refused(lambda: t.client.infer("raw", [one_input(t, "raw"), one_input(t, "raw")]), t.input_name("raw"))


@check
def inputs_of_different_lengths(t):
    two, three = t.rows("table", 2), t.rows("table", 3)
    last = t.about("table")["inputs"][-1]["name"]
    refused(lambda: t.infer("table", arrays={**two, last: three[last]}), last, "2", "3")


@check
def not_a_date(t):
    for field in t.friendly_fields("table"):
        if field["type"] == "date":
            arrays = {**t.rows("table", 1), field["name"]: byte_array(["the day after tomorrow"])}
            refused(lambda: t.infer("table", arrays=arrays), field["name"])
            refused(lambda: t.infer("table", binary=False, arrays=arrays), field["name"])


@check_each(*MODELS)
def unknown_output(t, model):
    right = InferRequestedOutput(t.output_names(model)[0])
    for binary in [True, False]:
        wrong = InferRequestedOutput("no-such-output", binary_data=binary)
        refused(lambda: t.infer(model, outputs=[wrong]), "no-such-output")
        refused(lambda: t.infer(model, outputs=[right, wrong]), "no-such-output")


@check
def sequences(t):
    refused(lambda: t.infer("numbers", sequence_id=7, sequence_start=True), "sequence")
    refused(lambda: t.infer("numbers", sequence_id=7, sequence_end=True), "sequence")
    refused(lambda: t.infer("numbers", sequence_id="seven", sequence_start=True, sequence_end=True), "sequence")
    # 0 and "" mean no sequence
    t.agrees(t.infer("numbers", sequence_id=0, sequence_start=True), t.expected("numbers"), "sequence 0")


@check
def routes_that_are_not_there(t):
    for method, path, status in [
        ("GET", "/v2/nothing", (404,)), ("POST", "/v2/models", (404, 405)), ("GET", "/v2/models/fashion/nothing", (404,)),
        ("GET", "/v2/models/fashion/infer", (405,)), ("POST", "/v2/health/live", (405,)), ("GET", "/v2/repository/index", (405,)),
    ]:
        t.refused_exchange(t.exchange(method, path), status=status)


# ---------------------------------------------------------------- asynchronous inference

@check_each(*MODELS)
def async_infer(t, model):
    with triton.InferenceServerClient(t.address, concurrency=4) as client:
        handles = []
        for i in range(8):
            inputs = t.infer_inputs(model, t.rows(model, i + 1, seed=i), binary=i % 2 == 0)
            handles.append(client.async_infer(model, inputs, request_id=str(i)))
        for i in reversed(range(8)):
            result = handles[i].get_result(block=True, timeout=60)
            equal(result.get_response()["id"], str(i), "id")
            t.agrees(result, t.expected(model, arrays=t.rows(model, i + 1, seed=i)), f"request {i}")


@check
def async_infer_with_all_options(t):
    with triton.InferenceServerClient(t.address, concurrency=2, max_greenlets=2) as client:
        handle = client.async_infer(
            "fashion", t.infer_inputs("fashion", t.rows("fashion", 3)), model_version=t.about("fashion")["versions"][0],
            outputs=t.all_outputs("fashion", True)[::-1], request_id="é", priority=2, timeout=30_000_000,
            headers={"X-Anything": "1"}, query_params={"a": "b"}, request_compression_algorithm="deflate",
            response_compression_algorithm="gzip", parameters={"a": "b"},
        )
        result = handle.get_result(timeout=60)
        t.agrees(result, t.expected("fashion", 3), "all options", ["class", "probabilities"])
        equal(result.get_response()["id"], "é", "id")


@check
def async_infer_refused(t):
    inputs = t.infer_inputs("fashion", t.rows("fashion", 1))
    refused(lambda: t.client.async_infer("no-such-model", inputs).get_result(timeout=60), "no-such-model", status="404")
    call = lambda: t.client.async_infer("fashion", inputs, model_version=WRONG_VERSION).get_result()
    refused(call, WRONG_VERSION, status="404")
    refused(lambda: t.client.async_infer("fashion", inputs, sequence_id=1).get_result(), "sequence")


@check
def asyncio_client(t):
    """The client for asyncio sends Accept-Encoding with every request, yet decompresses only the answers of infer."""
    import tritonclient.http.aio as aio

    async def run():
        expected = {model: t.expected(model, 64) for model in MODELS}
        async with aio.InferenceServerClient(t.address) as client:
            assert await client.is_server_live() and await client.is_server_ready()
            assert (await client.get_server_metadata())["extensions"]
            index = await client.get_model_repository_index()
            assert {entry["name"] for entry in index} >= set(MODELS)
            for model in MODELS:
                assert await client.is_model_ready(model)
                equal(await client.get_model_metadata(model), t.about(model), "metadata")
                equal((await client.get_model_config(model))["name"], model, "name")
                equal((await client.get_inference_statistics(model))["model_stats"][0]["name"], model, "name")
                for algorithm in [None, "gzip", "deflate"]:
                    result = await client.infer(
                        model, t.infer_inputs(model, t.rows(model, 64)),
                        request_compression_algorithm=algorithm, response_compression_algorithm=algorithm,
                    )
                    t.agrees(result, expected[model], f"{model}, compression {algorithm}")
            results = await asyncio.gather(
                *[client.infer("numbers", t.infer_inputs("numbers", t.rows("numbers", 64))) for _ in range(20)]
            )
            for result in results:
                t.agrees(result, expected["numbers"], "twenty at once")
            try:
                await client.get_model_metadata("no-such-model")
            except InferenceServerException as e:
                check_message(e.message(), ["no-such-model"])
            else:
                raise AssertionError("the server knows the model no-such-model")

    asyncio.run(run())


# ---------------------------------------------------------------- statistics and repository

def statistics(t, model):
    entries = t.client.get_inference_statistics(model)["model_stats"]
    equal([entry["name"] for entry in entries], [model], "names in the statistics of one model")
    return entries[0]


@check_each(*MODELS)
def statistics_count_up(t, model):
    before = statistics(t, model)
    equal(before["version"], t.about(model)["versions"][0], "version")
    t.infer(model, 3)
    t.infer(model, 1)
    after = statistics(t, model)
    for key, more in [("inference_count", 4), ("execution_count", 2)]:
        equal(after[key] - before[key], more, f"{key} after a request of three rows and one of one row")
    success = [entry["inference_stats"]["success"] for entry in (before, after)]
    equal(success[1]["count"] - success[0]["count"], 2, "count of success after two requests")
    assert success[1]["ns"] > success[0]["ns"], success
    for key in ["fail", "queue", "compute_input", "compute_infer", "compute_output"]:
        duration = after["inference_stats"][key]
        assert type(duration["count"]) is int and type(duration["ns"]) is int, (key, duration)
    now = time.time() * 1000
    assert now - 600_000 < after["last_inference"] < now + 600_000, f"last_inference is not now in ms: {after['last_inference']}"
    assert isinstance(after["batch_stats"], list), after["batch_stats"]
    for entry in after["batch_stats"]:
        assert entry["batch_size"] >= 1 and entry["compute_infer"]["count"] >= 1, entry
    same = t.client.get_inference_statistics(model, t.about(model)["versions"][0])["model_stats"][0]
    equal(same["inference_count"], after["inference_count"], "inference_count of the version")


@check
def statistics_of_all_models(t):
    names = [entry["name"] for entry in t.client.get_inference_statistics()["model_stats"]]
    equal(sorted(names), sorted(MODELS), "names in the statistics of all models")


@check
def refused_requests_are_no_inferences(t):
    before = statistics(t, "raw")
    refused(lambda: t.infer("raw", outputs=[InferRequestedOutput("no-such-output")]), "no-such-output")
    after = statistics(t, "raw")
    equal(after["inference_count"], before["inference_count"], "inference_count after a refused request")
    equal(after["inference_stats"]["success"]["count"], before["inference_stats"]["success"]["count"], "count of success")


def index(t):
    return {entry["name"]: entry for entry in t.client.get_model_repository_index()}


@check
def repository_index(t):
    entries = index(t)
    equal(sorted(entries), sorted(MODELS), "names in the index")
    for model, entry in entries.items():
        equal(entry["state"], "READY", f"state of {model}")
        equal(entry["version"], t.about(model)["versions"][0], f"version of {model}")
    status, _, body = t.exchange("POST", "/v2/repository/index", b'{"ready": true}')
    equal(status, 200, "status of an index of the ready models")
    equal(sorted(entry["name"] for entry in json.loads(body)), sorted(MODELS), "names of the ready models")


@check_each(*MODELS)
def unload_and_load(t, model):
    expected = t.expected(model, 3)
    other = MODELS[(MODELS.index(model) + 1) % len(MODELS)]
    expected_other = t.expected(other, 3)
    try:
        t.client.unload_model(model, unload_dependents=model == "numbers")
        assert t.client.is_model_ready(model) is False
        assert t.client.is_server_live() is True
        equal(index(t)[model]["state"], "UNAVAILABLE", "state of a model that was unloaded")
        status, _, body = t.exchange("POST", "/v2/repository/index", b'{"ready": true}')
        assert status == 200 and model not in [entry["name"] for entry in json.loads(body)], body
        refused(lambda: t.infer(model, 3), model, status=("400", "404", "503"))
        refused(lambda: t.client.get_model_metadata(model), model, status=("400", "404", "503"))
        refused(lambda: t.client.get_model_config(model), model, status=("400", "404", "503"))
        t.agrees(t.infer(other, 3), expected_other, "another model meanwhile")
        names = [entry["name"] for entry in t.client.get_inference_statistics()["model_stats"]]
        assert other in names, names
    finally:
        t.client.load_model(model)
    assert t.client.is_model_ready(model) is True
    equal(index(t)[model]["state"], "READY", "state of a model that was loaded again")
    equal(t.client.get_model_metadata(model), t.about(model), "metadata, the version included, after loading the same file")
    t.agrees(t.infer(model, 3), expected, "the model that was loaded again")


@check_each(*MODELS)
def reload(t, model):
    """Loading what is loaded replaces it."""
    expected = t.expected(model, 3)
    t.client.load_model(model)
    assert t.client.is_model_ready(model) is True
    t.agrees(t.infer(model, 3), expected, "the model after a reload")
    equal(t.client.get_model_metadata(model), t.about(model), "metadata after a reload")


@check
def load_refused(t):
    refused(lambda: t.client.load_model("no-such-model"), "no-such-model")
    refused(lambda: t.client.load_model("../no such model é"), "")
    refused(lambda: t.client.unload_model("no-such-model"), "no-such-model")
    # a model that comes with the request must not be taken for the one that is there
    refused(lambda: t.client.load_model("raw", config='{"max_batch_size": 8}'), "config")
    refused(lambda: t.client.load_model("raw", config="{}", files={"file:1/model.plywood": b"abc"}), "file")
    t.agrees(t.infer("raw", 3), t.expected("raw", 3), "the model after refused loads")


# ---------------------------------------------------------------- what this server does not do

@check
def trace_settings_refused(t):
    for model in [None, "", "fashion"]:
        refused(lambda: t.client.get_trace_settings(model), "trac", status="501")
        refused(lambda: t.client.update_trace_settings(model, {"trace_rate": "1", "trace_level": None}), "trac", status="501")
        refused(lambda: t.client.update_trace_settings(model), "trac", status="501")


@check
def log_settings_refused(t):
    refused(lambda: t.client.get_log_settings(), "log", status="501")
    refused(lambda: t.client.update_log_settings({"log_verbose_level": 1}), "log", status="501")


@check
def system_shared_memory_refused(t):
    for call in [
        lambda: t.client.get_system_shared_memory_status(),
        lambda: t.client.get_system_shared_memory_status("my region"),
        lambda: t.client.register_system_shared_memory("my region", "/key", 64, offset=8),
        lambda: t.client.unregister_system_shared_memory("my region"),
        lambda: t.client.unregister_system_shared_memory(),
    ]:
        refused(call, "shared memory", status="501")


@check
def cuda_shared_memory_refused(t):
    for call in [
        lambda: t.client.get_cuda_shared_memory_status(),
        lambda: t.client.get_cuda_shared_memory_status("my region"),
        lambda: t.client.register_cuda_shared_memory("my region", base64.b64encode(b"handle"), 0, 64),
        lambda: t.client.unregister_cuda_shared_memory("my region"),
        lambda: t.client.unregister_cuda_shared_memory(),
    ]:
        refused(call, "shared memory", status="501")


@check
def shared_memory_of_tensors_refused(t):
    arrays, expected = t.rows("raw", 1), t.expected("raw", 1)
    [one] = t.infer_inputs("raw", arrays)
    one.set_shared_memory("my region", 3136, offset=4)
    refused(lambda: t.client.infer("raw", [one]), "shared memory")
    one.set_shared_memory("my region", 3136)
    refused(lambda: t.client.infer("raw", [one]), "shared memory")
    one.set_data_from_numpy(arrays[one.name()])
    output = InferRequestedOutput(t.output_names("raw")[0])
    output.set_shared_memory("my region", 40, offset=4)
    refused(lambda: t.client.infer("raw", [one], outputs=[output]), "shared memory")
    output.unset_shared_memory()
    t.agrees(t.client.infer("raw", [one], outputs=[output]), expected, "after unset_shared_memory")


# ---------------------------------------------------------------- the client's own part

@check
def inputs_and_outputs_themselves(t):
    one = InferInput("x", [1, 2], "FP32")
    equal((one.name(), one.datatype(), one.shape()), ("x", "FP32", [1, 2]), "name, datatype and shape")
    equal(one.set_shape([2, 1]).shape(), [2, 1], "shape")
    refused_by_client(lambda: one.set_data_from_numpy([[1], [2]]), "numpy")
    refused_by_client(lambda: one.set_data_from_numpy(np.zeros((2, 1))), "FP64", "FP32")
    refused_by_client(lambda: one.set_data_from_numpy(np.zeros((1, 2), dtype=np.float32)), "shape")
    half = InferInput("x", [1], "BF16")
    refused_by_client(lambda: half.set_data_from_numpy(np.zeros(1, dtype=ml_dtypes.bfloat16), binary_data=False), "binary")
    equal(InferRequestedOutput("y").name(), "y", "name")
    refused_by_client(lambda: InferRequestedOutput("y", class_count=2).set_shared_memory("r", 4), "classification")
    refused_by_client(lambda: t.client.is_server_live(headers={"Transfer-Encoding": "chunked"}), "Transfer-Encoding")


@check
def plugins(t):
    calls = []

    def plugin(request):
        calls.append(request)
        request.headers["X-Anything"] = "from a plugin"

    t.client.register_plugin(plugin)
    try:
        assert t.client.plugin() is plugin
        refused_by_client(lambda: t.client.register_plugin(plugin), "already")
        t.agrees(t.infer("numbers", 3), t.expected("numbers", 3), "with a plugin")
        assert t.client.is_server_live() is True
        equal(len(calls), 2, "calls of the plugin")
    finally:
        t.client.unregister_plugin()
    refused_by_client(t.client.unregister_plugin, "plugin")

    from tritonclient.http.auth import BasicAuth

    t.client.register_plugin(BasicAuth("someone", "secret"))  # a server without a token does not mind
    try:
        t.agrees(t.infer("numbers", 3), t.expected("numbers", 3), "with Authorization")
    finally:
        t.client.unregister_plugin()


@check
def close(t):
    client = triton.InferenceServerClient(t.address, verbose=False, connection_timeout=10, network_timeout=10)
    assert client.is_server_live() is True
    client.close()
    client.close()


def every_method_was_called():
    missing = [
        f"{cls.__name__}.{name}"
        for cls in NOTED_CLASSES for name in public_methods(cls)
        if f"{cls.__name__}.{name}" not in CALLED
    ]
    assert not missing, f"no check calls {', '.join(missing)}"


# ---------------------------------------------------------------- main

def wait_for_server(url, seconds=20):
    client = triton.InferenceServerClient(url, connection_timeout=5, network_timeout=10)
    end = time.monotonic() + seconds
    while True:
        try:
            if client.is_server_ready():
                return
            problem = "GET /v2/health/ready is not 200"
        except Exception as e:
            problem = repr(e)
        if time.monotonic() > end:
            sys.exit(f"no server that is ready at {url}: {problem}")
        time.sleep(0.2)


def report_failure(name, error):
    print(f"FAILED {name}: {type(error).__name__}: {error}")
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == os.path.abspath(__file__) or frame.filename == __file__:
            print(f"    line {frame.lineno}, {frame.name}: {frame.line}")


def main():
    parser = argparse.ArgumentParser(description="Drives plywood-serve with every method of Triton's HTTP client.")
    parser.add_argument("--url", required=True, help="host:port of the server")
    parser.add_argument("--record", metavar="DIR", help="write each request and response to this directory")
    parser.add_argument("--record-limit", metavar="BYTES", type=int, default=3_000, help="leave out messages that are not smaller")
    parser.add_argument("--only", metavar="WORD", help="run only the checks whose name contains this word")
    parser.add_argument("--verbose", action="store_true", help="print the names of the checks that pass, too")
    options = parser.parse_args()

    for cls in NOTED_CLASSES:
        note_calls(cls)
    wait_for_server(options.url)
    recorder = Recorder(options.record, options.url, options.record_limit) if options.record else None
    t = Context(options.url, recorder.address if recorder else options.url)

    checks = [(name, function) for name, function in CHECKS if not options.only or options.only in name]
    if not options.only:
        checks.append(("every_method_was_called", lambda t: every_method_was_called()))
    passed = failed = 0
    for name, function in checks:
        if recorder:
            recorder.name = re.sub(r"[^A-Za-z0-9]+", "-", name)
        start = time.monotonic()
        try:
            function(t)
        except Exception as error:
            failed += 1
            report_failure(name, error)
        else:
            passed += 1
            if options.verbose:
                print(f"passed {name} ({time.monotonic() - start:.2f} s)")
    if recorder:
        recorder.write({model: t.about(model)["versions"][0] for model in MODELS})
        print(f"{sum(map(len, recorder.calls.values()))} requests recorded in {options.record}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
