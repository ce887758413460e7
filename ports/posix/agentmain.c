/* SPDX-License-Identifier: Apache-2.0
 * holdfast-agent: a device on a POSIX machine. Commands, options and exit statuses; the work is elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hf/base/time.h"
#include "hf/device/port.h"
#include "ports/posix/devicestatus.h"
#include "ports/posix/provision.h"
#include "ports/posix/requests.h"
#include "ports/posix/stationclient.h"
#include "ports/posix/supervisor.h"

#define PROGRAM "holdfast-agent"
#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2
/** How long the running device is waited for by set-attribute and postpone. */
#define ANSWER_WAIT_MS 15000u

struct command {
  const char *name;
  const char *usage;
  const char *help;
  int (*run)(int argc, char **argv);
};

static int run_provision(int argc, char **argv);
static int run_run(int argc, char **argv);
static int run_status(int argc, char **argv);
static int run_set_attribute(int argc, char **argv);
static int run_postpone(int argc, char **argv);

static const struct command commands[] = {
    {"provision", "DIR [options]",
     "Make a device in DIR: its key, its settings, its flash file with trust roots and first software. On a device "
     "that\n"
     "exists: add its factory certificate, a token, another CA or image key, or write its request again.\n"
     "\n"
     "  --device ID --product NAME --hardware ID --server https://HOST:PORT    who it is and where its server is\n"
     "  --server-ca FILE       PEM of the CA that the server's certificate must lead to\n"
     "  --root FILE            root.json of the image repository\n"
     "  --director-root FILE   root.json of the director repository\n"
     "  --image-key FILE       PEM public key that images are signed with; may be given up to 8 times\n"
     "  --owner-key FILE       PEM public key of an owner, who may replace image keys; up to 4 times "
     "(docs/spec/keyset.md)\n"
     "  --open-key FILE        PEM private key (P-256) that opens encrypted images\n"
     "  --image FILE           the first software, a signed image\n"
     "  --key PLACE            where the keys live: file (default), tpm2, tpm2:handle=0x81NNNNNN for a key that is in "
     "the\n"
     "                         TPM, or pkcs11:token=LABEL?pin-source=file:/PATH; new keys are made in the same place\n"
     "  --csr FILE             write the certification request for the factory certificate\n"
     "  --factory-cert FILE    install the factory certificate\n"
     "  --token-file FILE      install a one-time enrolment token\n"
     "  --station SOCKET       let a factory station say who it is and what goes on it (holdfast factory run);\n"
     "                         run again after a failure, it goes on\n"
     "  --slot-size N          same as --slot N\n"
     "\n"
     "Every setting of device.conf is an option too (`_` written as `-`); sizes take K and M:\n",
     run_provision},
    {"run", "DIR",
     "Run the device: choose a slot, verify it, run what is in it, watch over it. Ends at SIGTERM.\n"
     "Exit status: 0 stopped, 1 failed, 2 wrong usage, 3 no slot may run, 4 another process runs this device.\n",
     run_run},
    {"status", "DIR [--json]", "What the device's folder says about it. May be asked while it runs.\n", run_status},
    {"set-attribute", "DIR NAME [VALUE]",
     "Set an attribute that the device tells its server; without VALUE, remove it. Taken at once when the device "
     "runs,\n"
     "else at its next start.\n",
     run_set_attribute},
    {"postpone", "DIR DURATION|0",
     "Put the installation of an offered release off: 90m, 12h, 3d, at most as long as the product allows and never "
     "past\n"
     "the server's deadline. 0 takes it back. Prints until when it was granted.\n",
     run_postpone}};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void print_command(const struct command *command)
{
  (void)printf("usage: %s %s %s\n\n%s", PROGRAM, command->name, command->usage, command->help);
  if (command->run == run_provision) {
    hf_deviceconf_print_help();
  }
}

static void print_help(FILE *out)
{
  (void)fprintf(out,
                "usage: %s COMMAND ...\n\nA Holdfast device on this machine: one folder, one flash file, one key.\n\n",
                PROGRAM);
  for (size_t i = 0; i < COMMANDS; i++) {
    (void)fprintf(out, "  %-14s %s\n", commands[i].name, commands[i].usage);
  }
  (void)fprintf(out,
                "\n%s COMMAND --help tells more. Exit status: 0 done, 1 refused or failed, 2 wrong usage;\n"
                "`run` also 3: no slot may run, 4: another process runs this device.\n",
                PROGRAM);
}

static int wrong(const char *what, const char *word)
{
  (void)fprintf(stderr, "%s: %s: %s\n  to do: see `%s --help`\n", PROGRAM, what, word, PROGRAM);
  return EXIT_USAGE;
}

static int tell(const struct hf_trouble *trouble)
{
  hf_trouble_print(PROGRAM, trouble);
  return EXIT_FAILED;
}

static int open_folder(const char *path, struct hf_trouble *trouble)
{
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    hf_trouble_put(trouble, path, "name a device's folder", "cannot open the folder: %s", strerror(errno));
  }
  return folder;
}

/* ---- provision ---- */

struct provision_args {
  struct hf_deviceconf conf;
  struct hf_provision_files files;
  const char *station; /* socket of a factory station, or NULL */
  bool settings;       /* some setting was given */
};

static const char **file_option(struct hf_provision_files *files, const char *name)
{
  const struct {
    const char *name;
    const char **file;
  } options[] = {{"server-ca", &files->server_ca},
                 {"root", &files->root},
                 {"director-root", &files->director_root},
                 {"image", &files->image},
                 {"csr", &files->csr},
                 {"factory-cert", &files->factory_cert},
                 {"key", &files->key},
                 {"token-file", &files->token},
                 {"open-key", &files->open_key}};
  for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
    if (strcmp(name, options[i].name) == 0) {
      return options[i].file;
    }
  }
  if (strcmp(name, "owner-key") == 0 && files->owner_key_count < 4) {
    return &files->owner_keys[files->owner_key_count++];
  }
  if (strcmp(name, "image-key") == 0 && files->image_key_count < 8) {
    return &files->image_keys[files->image_key_count++];
  }
  return NULL;
}

static enum hf_err set_option(struct provision_args *args, const char *option, const char *value,
                              struct hf_trouble *trouble)
{
  const char **file = strcmp(option, "station") == 0 ? &args->station : file_option(&args->files, option);
  if (file != NULL) {
    *file = value;
    return HF_OK;
  }
  char name[32];
  size_t len = strlen(option);
  if (len >= sizeof name) {
    len = sizeof name - 1;
  }
  for (size_t i = 0; i < len; i++) {
    name[i] = (char)(option[i] == '-' ? '_' : option[i]);
  }
  name[len] = '\0';
  args->settings = true;
  const char *setting = strcmp(name, "slot_size") == 0 ? "slot" : name;
  return hf_deviceconf_set(&args->conf, hf_bytes_text(setting), hf_bytes_text(value), trouble);
}

static enum hf_err provision(const char *path, const struct provision_args *args, struct hf_trouble *trouble)
{
  if (mkdir(path, 0700) != 0 && errno != EEXIST) {
    hf_trouble_put(trouble, path, "name a folder below one that exists", "cannot make the folder: %s", strerror(errno));
    return HF_E_IO;
  }
  int folder = open_folder(path, trouble);
  if (folder < 0) {
    return HF_E_IO;
  }
  enum hf_err err;
  if (args->station != NULL) {
    struct hf_deviceconf conf = args->conf;
    err = hf_stationclient_run(folder, &conf, args->station, trouble);
  } else if (faccessat(folder, HF_DEVICECONF_NAME, F_OK, 0) != 0) {
    err = hf_provision_new(folder, &args->conf, &args->files, trouble);
  } else if (args->settings) {
    hf_trouble_put(trouble, path, "edit device.conf, or make the new device in another folder",
                   "there is a device in this folder already");
    err = HF_E_EXISTS;
  } else {
    err = hf_provision_put(folder, &args->files, trouble);
  }
  (void)close(folder);
  return err;
}

static int run_provision(int argc, char **argv)
{
  static struct provision_args args;
  struct hf_trouble trouble = {.what = ""};
  hf_deviceconf_init(&args.conf);
  for (int i = 1; i < argc; i += 2) {
    if (strncmp(argv[i], "--", 2) != 0 || i + 1 >= argc) {
      return wrong("an option and its value are wanted here", argv[i]);
    }
    if (set_option(&args, argv[i] + 2, argv[i + 1], &trouble) != HF_OK) {
      (void)tell(&trouble);
      return EXIT_USAGE;
    }
  }
  if (args.files.owner_key_count > 0 && args.conf.keys == 0) {
    args.conf.keys = 2 * (args.conf.sector < 4096 ? 4096 : args.conf.sector);
  }
  return provision(argv[0], &args, &trouble) == HF_OK ? EXIT_DONE : tell(&trouble);
}

/* ---- run, status ---- */

static int run_run(int argc, char **argv)
{
  struct hf_trouble trouble = {.what = ""};
  if (argc != 1) {
    return wrong("one folder is wanted", argv[1]);
  }
  int folder = open_folder(argv[0], &trouble);
  if (folder < 0) {
    return tell(&trouble);
  }
  enum hf_supervisor_end end = hf_supervisor_run(folder, &trouble);
  if (end != HF_SUPERVISOR_STOPPED) {
    hf_trouble_print(PROGRAM, &trouble);
  }
  (void)close(folder);
  return (int)end;
}

static int run_status(int argc, char **argv)
{
  struct hf_trouble trouble = {.what = ""};
  bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
  if (argc > 1 && !json) {
    return wrong("only --json is known here", argv[1]);
  }
  int folder = open_folder(argv[0], &trouble);
  enum hf_err err = folder < 0 ? HF_E_IO : hf_devicestatus_print(folder, json, &trouble);
  if (folder >= 0) {
    (void)close(folder);
  }
  return err == HF_OK ? EXIT_DONE : tell(&trouble);
}

/* ---- requests to the running device ---- */

static void print_refusal(struct hf_bytes line)
{
  static const struct {
    const char *name;
    const char *what;
    const char *todo;
  } words[] = {
      {"HF_E_STATE", "the release is being installed already, or the device does not know the time",
       "see `holdfast-agent status DIR`; the next release can be put off"},
      {"HF_E_INPUT", "the name or the value does not have the right form",
       "give a name of 1-32 of a-z 0-9 . _ - and a value of at most 64 bytes of plain text"},
      {"HF_E_FULL", "too many requests or attributes at one time", "try again later, or remove an attribute"},
  };
  const char *what = "the device refuses";
  const char *todo = "see what it prints";
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    size_t len = strlen(words[i].name);
    if (line.len >= len && memcmp(line.at, words[i].name, len) == 0) {
      what = words[i].what;
      todo = words[i].todo;
    }
  }
  (void)fprintf(stderr, "%s: %s\n  to do: %s\n", PROGRAM, what, todo);
}

static int print_answer(struct hf_bytes line)
{
  bool good = line.len >= 6 && memcmp(line.at, "HF_OK ", 6) == 0;
  size_t skip = good ? 6 : 0;
  if (good && line.len > skip) {
    (void)printf("%.*s\n", (int)(line.len - skip), (const char *)line.at + skip);
  }
  if (!good) {
    print_refusal(line);
  }
  return good ? EXIT_DONE : EXIT_FAILED;
}

static int ask(const char *path, const struct hf_requests_item *item)
{
  struct hf_trouble trouble = {.what = ""};
  char id[HF_REQUESTS_ID_LEN + 1];
  struct hf_deviceconf conf;
  int folder = open_folder(path, &trouble);
  if (folder < 0 || hf_deviceconf_get(&conf, folder, &trouble) != HF_OK) {
    if (folder >= 0) {
      (void)close(folder);
    }
    return tell(&trouble);
  }
  enum hf_err err = hf_requests_put(id, folder, item);
  if (err != HF_OK) {
    bool form = err == HF_E_INPUT;
    hf_trouble_put(&trouble, path,
                   form ? "give a name of 1-32 of a-z 0-9 . _ - and a value of at most 64 bytes of plain text"
                        : "start the device if many requests wait; see that its folder can be written",
                   "%s (%s)", form ? "the name or the value does not have the right form" : "the request was not taken",
                   hf_err_name(err));
    (void)close(folder);
    return tell(&trouble);
  }
  const struct hf_flashfile_place place = {.folder = folder, .name = "flash.bin"};
  uint64_t until = hf_port_uptime_ms() + ANSWER_WAIT_MS;
  int code = -1;
  while (code < 0 && hf_flashfile_owned(&place) && hf_port_uptime_ms() < until) {
    uint8_t line[256];
    struct hf_buf buf = hf_buf_init(line, sizeof line);
    if (hf_requests_get(&buf, folder, id) == HF_OK) {
      code = print_answer(hf_buf_bytes(&buf));
    } else {
      (void)nanosleep(&(struct timespec){.tv_nsec = 100000000L}, NULL);
    }
  }
  (void)close(folder);
  if (code < 0) {
    (void)printf("noted; the device takes it when it next can\n");
  }
  return code < 0 ? EXIT_DONE : code;
}

static int run_set_attribute(int argc, char **argv)
{
  if (argc != 2 && argc != 3) {
    return wrong("a folder, a name and a value are wanted", "set-attribute");
  }
  return ask(argv[0], &(struct hf_requests_item){.kind = HF_LIT("attribute"),
                                                 .name = hf_bytes_text(argv[1]),
                                                 .value = hf_bytes_text(argc == 3 ? argv[2] : "")});
}

static bool parse_duration(int64_t *seconds, const char *text)
{
  char *end = NULL;
  errno = 0;
  long number = strtol(text, &end, 10);
  if (errno != 0 || end == text || number < 0 || number > 365L * 86400L) {
    return false;
  }
  int64_t unit = strcmp(end, "d") == 0 ? 86400 : strcmp(end, "h") == 0 ? 3600 : strcmp(end, "m") == 0 ? 60 : 1;
  *seconds = number * unit;
  return unit != 1 || *end == '\0' || strcmp(end, "s") == 0;
}

static int run_postpone(int argc, char **argv)
{
  int64_t seconds = 0;
  char until[24];
  if (argc != 2 || !parse_duration(&seconds, argv[1])) {
    return wrong("a folder and a duration such as 12h are wanted", argc > 1 ? argv[1] : "postpone");
  }
  (void)snprintf(until, sizeof until, "%lld", seconds == 0 ? 0LL : (long long)(hf_port_time() + seconds));
  return ask(argv[0], &(struct hf_requests_item){.kind = HF_LIT("postpone"), .name = hf_bytes_text(until)});
}

int main(int argc, char **argv)
{
  if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
    print_help(argc < 2 ? stderr : stdout);
    return argc < 2 ? EXIT_USAGE : EXIT_DONE;
  }
  if (strcmp(argv[1], "--version") == 0) {
    (void)printf("%s %s\n", PROGRAM, HF_VERSION);
    return EXIT_DONE;
  }
  for (size_t i = 0; i < COMMANDS; i++) {
    if (strcmp(argv[1], commands[i].name) != 0) {
      continue;
    }
    for (int at = 2; at < argc; at++) {
      if (strcmp(argv[at], "--help") == 0) {
        print_command(&commands[i]);
        return EXIT_DONE;
      }
    }
    return argc < 3 ? wrong("a device's folder is wanted", commands[i].name) : commands[i].run(argc - 2, argv + 2);
  }
  return wrong("there is no such command", argv[1]);
}
