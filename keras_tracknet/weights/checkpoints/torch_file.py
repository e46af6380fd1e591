"""PyTorch's checkpoint files, read without PyTorch and without running what is in them.

Such a file is a zip archive: a pickle that describes containers and tensors, and beside it the
tensors' bytes. Unpickling calls whatever the pickle names, so only names that make tensors and
plain containers are let through, and each of them is bound to a function of this module. Few bytes
can also describe what takes for ever to look at: lists of lists of lists are never shown, no key is
a tuple, and all tensors together are no larger than the file.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import ml_dtypes
import numpy as np

from keras_tracknet.errors import InputError

# First bytes of what torch.save wrote before PyTorch 1.6: the pickle of a magic number.
OLD_FORMAT = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
MOST_PICKLED = 2**24  # bytes of the description; those of known networks have 100 kB
# The one that is written in C cannot be told what may be a key of a dictionary.
_PythonUnpickler: Any = pickle._Unpickler
KEY_TYPES = (str, bytes, int, float, bool, type(None))
STORAGES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


def is_torch_file(path: Path) -> bool:
    """Return whether a file is a zip archive as torch.save writes it, or one of old times."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return _find_pickle(archive) is not None
    with path.open("rb") as file:
        return file.read(len(OLD_FORMAT)) == OLD_FORMAT


def read_torch_file(path: Path) -> Any:
    """Read a checkpoint that torch.save wrote.

    Args:
        path: the file.

    Returns:
        What was saved, in dictionaries, lists, tuples, numbers and strings; tensors as arrays,
        bfloat16 as float32.

    Raises:
        InputError: the file is damaged or of before PyTorch 1.6, or holds anything else than
            tensors and plain containers, which is not run.
    """
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{path}: was written before PyTorch 1.6; save it again with a newer version:"
            " torch.save(torch.load(OLD, weights_only=True), NEW)."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            name = _find_pickle(archive)
            if name is None:
                raise InputError(
                    f"{path}: is a zip archive, but not a PyTorch checkpoint; use a checkpoint."
                )
            return _Unpickler(archive, name).load()
    except _Refused as error:
        raise InputError(
            f"{path}: contains {error}, not only tensors and plain containers, and is not read for"
            " safety; save only the state_dict of the network."
        ) from error
    except InputError:
        raise
    except Exception as error:  # a damaged archive or pickle fails in any way it likes
        raise InputError(
            f"{path}: damaged ({str(error) or type(error).__name__}); download it again."
        ) from error


class _Refused(pickle.UnpicklingError):
    """A pickle names something that is neither a tensor nor a plain container."""


class _Dictionary(dict[Any, Any]):
    """Stands in for the dictionaries of `collections`, without their attributes."""

    def __setstate__(self, state: Any) -> None:
        """Ignore the attributes."""


class _Type:
    """Stands in for `numpy.dtype`: a letter and a size such as `f8`."""

    def __init__(self, code: str, *_flags: Any) -> None:
        if not isinstance(code, str) or len(code) > 8:
            raise _Refused("an unknown NumPy type")
        self.value = np.dtype(code)
        if self.value.hasobject:
            raise _Refused("NumPy objects")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the byte order."""
        self.value = self.value.newbyteorder(state[1] if state[1] in ("<", ">") else "=")


class _Maker:
    """A function that a pickle may call and cannot change."""

    __slots__ = ("_function",)
    _function: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setattr__(self, name: str, value: Any) -> None:
        raise _Refused(f"an attempt to set {name}")

    def __setstate__(self, state: Any) -> None:
        raise _Refused("an attempt to change a function")


class _Storage:
    """Stands in for a class of PyTorch's storages, of one type of numbers."""

    __slots__ = ("dtype",)

    def __init__(self, name: str) -> None:
        self.dtype = np.dtype(STORAGES[name])


class _Unpickler(_PythonUnpickler):  # type: ignore[misc]
    """Reads the pickle of a checkpoint; see the module's docstring."""

    dispatch: ClassVar = dict(_PythonUnpickler.dispatch)

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        if archive.getinfo(name).file_size > MOST_PICKLED:
            raise ValueError(f"{name} is larger than any network's")
        super().__init__(io.BytesIO(_read_stored(archive, name)), encoding="utf-8")
        self._archive, self._folder = archive, name.removesuffix("data.pkl")
        self._storages: dict[str, np.ndarray] = {}
        self._left = Path(str(archive.filename)).stat().st_size

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in STORAGES:
            return _Storage(name)
        maker = _MAKERS.get(f"{module}.{name}")
        if maker is None:
            raise _Refused(f"{module}.{name}")
        return _Maker(maker)

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, storage, key, _device, count = pid
        if kind != "storage" or not (isinstance(storage, _Storage) and isinstance(key, str)):
            raise _Refused("a reference to something other than tensor data")
        if key not in self._storages:
            content = _read_stored(self._archive, f"{self._folder}data/{key}")
            self._left -= len(content)
            if len(content) != int(count) * storage.dtype.itemsize or self._left < 0:
                raise ValueError(f"tensor {key} has another length than declared")
            values = np.frombuffer(content, storage.dtype)
            if values.dtype == ml_dtypes.bfloat16:
                values = values.astype(np.float32)
            self._storages[key] = values
        return self._storages[key]

    def load_setitem(self) -> None:
        """Put one item into a dictionary."""
        _check_keys(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        """Put what lies above the mark into a dictionary."""
        _check_keys(self.stack[::2])
        super().load_setitems()

    def load_dict(self) -> None:
        """Make a dictionary of what lies above the mark."""
        _check_keys(self.stack[::2])
        super().load_dict()

    def load_set(self) -> None:
        """Refuse a set, whose members are keys, too."""
        raise _Refused("a set")

    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.EMPTY_SET[0]] = dispatch[pickle.FROZENSET[0]] = load_set


def _check_keys(keys: Iterable[Any]) -> None:
    """Let nothing be a key that takes long to hash, as a tuple of tuples of tuples does."""
    if not all(isinstance(key, KEY_TYPES) for key in keys):
        raise _Refused("a dictionary with keys other than strings and numbers")


def _read_stored(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a member that is not compressed, as none of PyTorch's is: few bytes stay few."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)


def _find_pickle(archive: zipfile.ZipFile) -> str | None:
    names = (name for name in archive.namelist() if name.count("/") == 1)
    return next((name for name in names if name.endswith("/data.pkl")), None)


def _make_tensor(
    storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_rest: Any
) -> np.ndarray:
    """Return a view of a storage, which takes no memory of its own."""
    shaped = isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride)
    if not shaped or not isinstance(storage, np.ndarray):
        raise ValueError("a tensor has an invalid description")
    if not all(type(number) is int and number >= 0 for number in (offset, *size, *stride)):
        raise ValueError("a tensor exceeds its data")
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count > len(storage) or (count and last >= len(storage)):
        raise ValueError("a tensor exceeds its data")
    return np.lib.stride_tricks.as_strided(
        storage[offset:] if count else storage[:0],
        size,
        [step * storage.dtype.itemsize for step in stride],
        writeable=False,
    )


def _make_parameter(data: np.ndarray, *_rest: Any) -> np.ndarray:
    return data


def _make_scalar(dtype: _Type, content: bytes) -> Any:
    if not (isinstance(dtype, _Type) and isinstance(content, bytes)):
        raise ValueError("a number has an invalid description")
    return np.frombuffer(content, dtype.value)[0].item()


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise _Refused("text in another encoding")
    return text.encode("latin1")


def _make_size(sizes: Any) -> tuple[int, ...]:
    return tuple(sizes)


def _make_device(*names: Any) -> str:
    _check_keys(names)
    return ":".join(map(str, names))


def _make_dictionary(items: Any = ()) -> _Dictionary:
    pairs = [*items.items()] if isinstance(items, dict) else [*items]
    _check_keys(key for key, _value in pairs)
    return _Dictionary(pairs)


# What a pickle may call. The names on the left are never imported.
_MAKERS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": _make_tensor,
    "torch._utils._rebuild_parameter": _make_parameter,
    "torch.Size": _make_size,
    "torch.device": _make_device,
    "collections.OrderedDict": _make_dictionary,
    "collections.Counter": _make_dictionary,
    "numpy.dtype": _Type,
    "numpy.core.multiarray.scalar": _make_scalar,
    "numpy._core.multiarray.scalar": _make_scalar,
    "_codecs.encode": _encode,
}
