"""What PyInstaller has to know of pyarrow, instead of its own hook: that one takes every submodule, header and test."""

from bundle.cython import imports

MODULES = ("pyarrow.lib", "pyarrow._parquet", "pyarrow._compute")

hiddenimports = sorted({*MODULES, *imports(MODULES)})
datas = []
