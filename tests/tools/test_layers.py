#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Feeds tools/layers good and bad trees and expects it to tell them apart."""
import os
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "layers")
GOOD = {
    "hf/base/bytes.h": "#include <stddef.h>\n",
    "hf/base/bytes.c": '#include "hf/base/bytes.h"\n',
    "hf/codec/json.h": '#include "hf/base/bytes.h"\n',
    "hf/wire/tuf.h": '#include "hf/codec/json.h"\n',
    "hf/device/boot.c": '#include "hf/wire/tuf.h"\n',
    "hf/fleet/rollout.h": '#include "hf/wire/tuf.h"\n',
    "hf/server/front.c": '#include "hf/fleet/rollout.h"\n',
    "hf/server/front.h": "",
    "hf/cli/verbs.c": '#include "hf/fleet/rollout.h"\n',
    "hf/cli/verbs.h": "",
    "hf/main.c": '#include "hf/server/front.h"\n#include "hf/cli/verbs.h"\n',
    "tests/wire/test_tuf.c": '#include "hf/server/front.h"\nvoid f(void) { strcpy(a, b); }\n',
}


class Layers(unittest.TestCase):
    def run_on(self, extra, *options):
        with tempfile.TemporaryDirectory() as tree:
            for path, text in {**GOOD, **extra}.items():
                os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
                with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return subprocess.run([TOOL, *options, tree], capture_output=True, text=True, check=False)

    def expect_refused(self, extra, words):
        done = self.run_on(extra)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(words, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_accepts_a_tree_whose_arrows_point_down(self):
        done = self.run_on({})
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_refuses_an_upward_include(self):
        self.expect_refused({"hf/base/err.h": '\n#include "hf/wire/tuf.h"\n'}, "hf/base/err.h:2: hf/base may not include")
        self.expect_refused({"hf/codec/der.c": '# include "hf/crypto/key.h"\n'}, "hf/codec/der.c:1: hf/codec may not")
        self.expect_refused({"hf/device/slot.c": '#include "ports/posix/flash.h"\n'}, "ask for it through")

    def test_refuses_an_include_between_the_wings(self):
        self.expect_refused({"hf/device/slot.c": '#include "hf/fleet/rollout.h"\n'}, "hf/device/slot.c:1")
        self.expect_refused({"hf/fleet/audit.c": '#include "hf/device/slot.h"\n'}, "hf/fleet/audit.c:1")
        self.expect_refused({"hf/server/db.c": '#include "hf/device/slot.h"\n'}, "hf/server/db.c:1")
        self.expect_refused({"ports/posix/agent.c": '#include "hf/server/front.h"\n'}, "ports/posix/agent.c:1")

    def test_refuses_cli_and_server_knowing_each_other(self):
        self.expect_refused({"hf/cli/init.c": '#include "hf/server/front.h"\n'}, "hf/cli may not include")
        self.expect_refused({"hf/server/db.c": '#include "hf/cli/verbs.h"\n'}, "hf/server may not include")

    def test_refuses_an_include_cycle(self):
        self.expect_refused({"hf/wire/a.h": '#include "hf/wire/b.h"\n', "hf/wire/b.h": '#include "hf/wire/c.h"\n',
                             "hf/wire/c.h": '#include "hf/wire/a.h"\n'}, "include cycle: hf/wire/a.h -> hf/wire/b.h")
        self.expect_refused({"hf/wire/a.h": '#include "hf/wire/a.h"\n'}, "include cycle")

    def test_refuses_two_files_of_one_stem(self):
        self.expect_refused({"hf/wire/bytes.h": ""}, "the stem bytes is taken by hf/base/bytes.")
        self.expect_refused({"ports/posix/front.c": ""}, "the stem front is taken by hf/server/front")

    def test_refuses_a_layer_it_does_not_know(self):
        self.expect_refused({"hf/util/misc.c": ""}, "hf/ has no such layer")

    def test_refuses_a_climbing_include(self):
        self.expect_refused({"hf/wire/x.c": '#include "../base/bytes.h"\n'}, "climbs")

    def test_refuses_banned_functions(self):
        for name in ("strcpy", "strcat", "sprintf", "strtok", "atoi", "gets", "alloca", "scanf", "sscanf", "vsprintf"):
            text = f"int f(void)\n{{\n  return {name} (a);\n}}\n"
            self.expect_refused({"hf/wire/x.c": text}, f"hf/wire/x.c:3: {name} is banned")
            self.expect_refused({"examples/x.c": text}, f"examples/x.c:3: {name} is banned")

    def test_accepts_banned_names_in_words_comments_and_texts(self):
        text = '/* strcpy(a) */ // gets(b)\nint targets(int x) { return f("atoi(c)", \'"\', snprintf(x)) + targets(x); }\n'
        self.assertEqual(self.run_on({"hf/wire/x.c": text}).returncode, 0)

    def test_an_include_in_a_comment_is_no_include(self):
        self.assertEqual(self.run_on({"hf/base/x.c": '/*\n#include "hf/wire/tuf.h"\n*/\n'}).returncode, 0)

    def test_draws_the_graph(self):
        done = self.run_on({}, "--dot")
        self.assertEqual(done.returncode, 0)
        self.assertIn('"hf/device" -> "hf/wire"', done.stdout)
        self.assertIn('"hf/main.c" -> "hf/server"', done.stdout)

    def test_wrong_usage_has_its_own_exit_code(self):
        for arguments in (["--nonsense"], ["/nonexistent"], ["a", "b"]):
            done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    sys.exit(unittest.main())
