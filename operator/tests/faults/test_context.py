"""The context that a flag names is looked for in the kubeconfig, by the command itself."""

import asyncio
import sys
from pathlib import Path

import pytest


@pytest.mark.asyncio
async def test_a_context_that_is_not_there_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("current-context: here\n")
    flags = (f"--kubeconfig={kubeconfig}", "--context=elsewhere")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "imooc_operator", *flags, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.decode() == f"imooc-operator: {kubeconfig}: no context named 'elsewhere'\n"
