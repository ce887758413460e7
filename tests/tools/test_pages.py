#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Feeds tools/proofs and tools/attack-page what they must refuse: a page that claims more than there are tests."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCE = "static void it_holds(void **state)\n{\n}\nstatic void not_listed(void **state)\n{\n}\n  TEST(it_holds),\n"
ROW = "Freeze\tnone\tholds\tTUF_EXPIRED\tmain 1.0.0\tit is so\ttests/attacks/%s\t%s\n"


class Pages(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)
        (self.dir / "tests").mkdir()
        (self.dir / "tests/test_x.c").write_text(SOURCE)
        (self.dir / "tests/test_y.py").write_text("class A:\n    def test_it(self):\n        pass\n")

    def proofs(self, text):
        (self.dir / "page.md").write_text(text)
        done = subprocess.run([sys.executable, TREE / "tools/proofs", self.dir / "page.md"], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stderr

    def test_a_test_that_exists_is_a_proof(self):
        self.assertEqual(self.proofs("[`it_holds`](tests/test_x.c), [`test_it`](tests/test_y.py)")[0], 0)

    def test_a_claim_without_its_test_is_refused(self):
        for text, what in (("[`it_fails`](tests/test_x.c)", "no test it_fails"),
                           ("[`it`](tests/test_x.c)", "no test it"),
                           ("[`not_listed`](tests/test_x.c)", "no test not_listed"),
                           ("[`it_holds`, `nor_this`](tests/test_x.c)", "no test nor_this"),
                           ("[`it_holds`](tests/test_z.c)", "no such file"),
                           ("[the tests](tests/test_x.c)", "not names of tests"),
                           ("it holds", "names no test")):
            code, said = self.proofs(text)
            self.assertEqual(code, 1, text)
            self.assertIn(what, said)

    def attacks(self, rows):
        for name, text in rows.items():
            (self.dir / name).write_text(text)
        done = subprocess.run([sys.executable, TREE / "tools/attack-page", "--rows", self.dir], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stderr

    def test_a_missing_program_and_an_invented_row_stop_the_page(self):
        programs = [path for path in (TREE / "tests/attacks").glob("test_*") if path.suffix in (".c", ".py")]
        first = sorted(programs)[0]
        self.assertEqual(self.attacks({})[0], 1)
        self.assertIn("has not passed", self.attacks({})[1])
        code, said = self.attacks({first.stem: ROW % (first.name, "a_test_that_nobody_wrote")})
        self.assertEqual(code, 1)
        self.assertIn("no test a_test_that_nobody_wrote", said)
        code, said = self.attacks({first.stem: "Freeze\tnone\n"})
        self.assertEqual(code, 1)
        self.assertIn("not a row", said)


if __name__ == "__main__":
    unittest.main()
