"""What the pages say of sizes and versions."""
import re
import shutil
import subprocess

import pytest
from conftest import PROJECT

SCALE = PROJECT / "docs/scale.md"


def test_the_plan_reckons_with_measured_figures():
    plan = SCALE.read_text().split("## On paper", 1)[1].split("## The application on Ray")[0]
    measured = (PROJECT / "docs/benchmarks.md").read_text()
    for figure in (".77", "18.4", "1.5–1.8 KB", "109,000 to 118,000", "21,851", "1.1 GiB", "1,002\nbytes"):
        assert figure in plan, figure
        assert figure.replace("\n", " ") in measured, figure
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \| (\d+)(?: MB|\.?\d* ?GB)?", plan, re.M)
    assert len(rows) == 4
    for row in rows:
        users, messages = (int(cell.replace(",", "")) for cell in row[:2])
        assert messages == users / 10
        assert float(row[2]) == pytest.approx(messages * 1.3e-6, rel=.1)
        assert float(row[3]) == pytest.approx(messages * 18.4e-6, rel=.1)


def test_nginx_takes_the_example(tmp_path):
    block = re.search(r"^```nginx\n(.*?)^```$", SCALE.read_text(), re.M | re.S)[1]
    assert block.count("{") == block.count("}") and "hash $liminal_who consistent;" in block
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not nginx:
        pytest.skip("nginx is not here")
    file = tmp_path / "nginx.conf"
    # `nginx -t` binds the ports and makes the folders: none that only root may have.
    assert "    listen 80;\n" in block
    block = block.replace("listen 80;", f"listen unix:{tmp_path}/socket;")
    folders = "".join(f"{name}_temp_path {tmp_path}/{name};\n"
                      for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    file.write_text(f"pid {tmp_path}/pid;\nerror_log {tmp_path}/log;\nevents {{}}\n"
                    f"http {{\naccess_log off;\n{folders}{block}}}\n")
    done = subprocess.run([nginx, "-t", "-c", file, "-p", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_version_that_is_tested_is_the_one_that_is_said():
    for name in ("python/README.md", "pyproject.toml"):
        assert "ested with 3.11" in (PROJECT / name).read_text(), name
