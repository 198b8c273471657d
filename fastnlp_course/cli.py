"The command `fastnlp`. It reads arguments and prints; the work is done by the modules."
import atexit
import gc
import sys
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Optional

import typer

from fastnlp_course.safe_output import guarded, visible

SEP = typer.Option(None, '--sep', help="Between two cells, such as ';' or '\\t'; found out without it.")
ENCODING = typer.Option(None, '--encoding', help='Of the file, such as cp1252 or utf-16; UTF-8 without it.')
GUARD = typer.Option(True, '--guard/--no-guard', help="Put ' in front of cells that a spreadsheet would compute, such as =A1.")

def say(line, err=False):
    "Print a line without what a terminal would obey."
    typer.echo(visible(line), err=err)

def note(line):
    "What is worth knowing beside the results: on stderr, so that stdout stays clean."
    say(f'Note: {line}', err=True)

def say_now(line):
    "A line of a command that goes on for long: warnings on stderr, the rest at once on stdout."
    if line.startswith('Warning: '): return note(line.removeprefix('Warning: '))
    say(line)
    sys.stdout.flush()

@contextmanager
def nothing_is_garbage():
    "For a command that loads, answers and ends: looking through what it has loaded for garbage takes as long as loading pandas."
    was_on = gc.isenabled()
    gc.disable()
    try: yield
    finally:
        if was_on: gc.enable()

atexit.register(gc.freeze)   # nor is it looked through when the process ends

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
                  context_settings={'help_option_names': ['-h', '--help']},
                  help="Train and use text classifiers the ULMFiT way. Example: fastnlp demo")

def _say_version(wanted: bool):
    if wanted:
        from fastnlp_course import __version__
        say(f'fastnlp_course {__version__}')
        raise typer.Exit()

@app.callback()
def main(version: bool = typer.Option(False, '--version', callback=_say_version, is_eager=True, help='Show the version, and stop.')):
    pass

def nobody_reads():
    "Whoever read our lines (head, less) has seen enough: end without a word, and with nothing left to write."
    import os
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(141)

def say_errors(command):
    "Turn what a user can mend into one sentence and exit code 1; FASTNLP_DEBUG=1 shows where it came from."
    @wraps(command)
    def wrapped(*args, **kwargs):
        import os
        import warnings
        warnings.showwarning = lambda message, *details, **options: note(message)
        try:
            return command(*args, **kwargs)
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            say('\nStopped. Run the same command again to go on.', err=True)
            raise typer.Exit(130) from None
        except (ValueError, OSError, KeyError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:      # ArithmeticError: a fit whose loss is no number
            if os.environ.get('FASTNLP_DEBUG'): raise
            message = error.args[0] if isinstance(error, KeyError) and error.args else error
            say(f'Error: {message}', err=True)
            raise typer.Exit(1) from None
    return wrapped

@contextmanager
def options_named():
    "What a sentence calls an argument of Python is called by its option."
    try: yield
    except ValueError as error:
        from fastnlp_course.applications.pair_baselines import in_options
        raise ValueError(in_options(str(error))) from error

@app.command()
@say_errors
def demo(
    out: Path = typer.Option(Path('demo_output'), help='Folder for model, report and figures.'),
    fresh: bool = typer.Option(False, '--fresh', help='Start over instead of going on where an earlier run stopped.'),
    rows: Optional[int] = typer.Option(None, min=50, help='Use only so many reviews, for a quick look.'),
):
    """Run the main job on the embedded movie reviews: language model, classifier, report.

    Example: fastnlp demo --out demo_output
    """
    from fastnlp_course.applications.report import how_to_use
    from fastnlp_course.applications.reviews import movie_reviews, run_stages
    table = movie_reviews()
    if rows is not None and rows < len(table):
        table = table.sample(rows, random_state=42).reset_index(drop=True)
    run_stages(table, out, fresh=fresh, log=say, source={'reviews': rows})
    say('')
    say(how_to_use(out))

@app.command('train-classifier')
@say_errors
def train_classifier(
    file: Path = typer.Argument(..., help='Table with a header: CSV, TSV, JSON lines (each also with gzip) or Parquet.'),
    text_col: list[str] = typer.Option(['text'], help='Column with the texts; several times for several fields.'),
    label_col: list[str] = typer.Option(['label'], help='Column with the labels; several times for columns of yes and no, one per label.'),
    model: list[str] = typer.Option([], help='tfidf, ulmfit, minilm, minilm-frozen, a folder or a name of a transformers checkpoint, or auto; several times for several. ulmfit without it.'),
    minutes: Optional[float] = typer.Option(None, min=0, help='For everything; epochs and lengths are chosen by it. 20 for auto, no limit else.'),
    lang: Optional[str] = typer.Option(None, help='Code of the language, such as de or zh; found out without it.'),
    valid_col: Optional[str] = typer.Option(None, help='Column that marks validation rows; without it 20% are drawn at random.'),
    valid_pct: Optional[float] = typer.Option(None, min=0, max=1, help='Share of the rows to judge by, drawn at random; 0.2 without it.'),
    kfold: Optional[int] = typer.Option(None, min=2, max=20, help='Judge every row once, in so many parts.'),
    group_col: Optional[str] = typer.Option(None, help='Rows with the same value (an author, a product) stay on one side of the split.'),
    time_col: Optional[str] = typer.Option(None, help='Judge by the latest rows: a column of dates, years or seconds.'),
    class_weights: bool = typer.Option(False, '--class-weights', help='Weigh rare classes more, as many times as they are rarer.'),
    delim: Optional[str] = typer.Option(None, help="Between several labels of a cell, such as ';'."),
    regression: bool = typer.Option(False, '--regression', help='The labels are numbers to predict.'),
    unlabelled: Optional[Path] = typer.Option(None, help='More texts without labels, for the language model of ulmfit: a table, or one text per line.'),
    unit: Optional[str] = typer.Option(None, help='What ulmfit cuts texts into: words, characters, or pieces that SentencePiece learns from the training texts; by the language without it.'),
    dry_run: bool = typer.Option(False, '--dry-run', help='Say what would be done and how long it would take, and stop.'),
    sep: Optional[str] = SEP,
    encoding: Optional[str] = ENCODING,
    out: Optional[Path] = typer.Option(None, help='Folder for the results; FILE_classifier without it.'),
    fresh: bool = typer.Option(False, '--fresh/--resume', help='Start over; --resume, which is what happens without either, goes on where an earlier run stopped.'),
    lm_epochs: Optional[int] = typer.Option(None, min=1, help='Epochs of the language model.'),
    epochs: Optional[int] = typer.Option(None, min=1, help='Epochs of the classifier.'),
    lm_bs: Optional[int] = typer.Option(None, min=1, help='Rows per batch of the language model; fewer for little text.'),
    bs: Optional[int] = typer.Option(None, min=1, help='Texts per batch of the classifier.'),
    seed: int = typer.Option(42, help='Of the split, the weights and the batches.'),
):
    """Train classifiers of texts on a table, judge them on the same rows, and keep the one that is recommended.

    Without --model: ULMFiT, as with --model ulmfit. The majority and TF-IDF always stand beside the others; OUT/model
    is the one that is recommended, whichever it is. The same command again goes on where it stopped.

    Example: fastnlp train-classifier reviews.csv --model auto --minutes 10
    """
    if valid_pct is not None and (valid_col or kfold):
        raise ValueError(f"{'--valid-col' if valid_col else '--kfold'} says which rows to judge by, and --valid-pct draws them at random. Pass one of them.")
    sizes = {name: value for name, value in (('lm_epochs', lm_epochs), ('epochs', epochs), ('lm_bs', lm_bs), ('bs', bs)) if value is not None}
    out = file.with_name(f"{file.name.split('.')[0]}_classifier") if out is None else out
    from fastnlp_course.applications.train_table import contest_of_file
    contest_of_file(file, out, model or ['ulmfit'], text_col, label_col, minutes=minutes, lang=lang, kfold=kfold, group_col=group_col, time_col=time_col, class_weights=class_weights,
                    delim=delim, regression=regression, unlabelled=unlabelled, unit=unit, dry_run=dry_run, fresh=fresh, sizes=sizes, valid_col=valid_col, valid_pct=valid_pct, seed=seed, sep=sep, encoding=encoding, log=say, note=note, command=sys.argv[1:])

@app.command()
@say_errors
def reproduce(
    report: Path = typer.Argument(..., help='report.json of a run, or its folder.'),
    out: Optional[Path] = typer.Option(None, help="Folder for the new run; 'reproduced' beside the report without it."),
):
    """Run again what a report says, and compare every figure; exit code 1 if one differs.

    Example: fastnlp reproduce demo_output/report.json
    """
    from fastnlp_course.applications.reproduce import reproduce as run_again
    if not run_again(report, out, log=say)['same']:
        raise typer.Exit(1)

@app.command('train-lm')
@say_errors
def train_language_model(
    files: list[Path] = typer.Argument(..., help='Text, CSV, TSV, JSON lines or Parquet files, or folders of them.'),
    out: Path = typer.Option(..., help='Folder for the finished model; checkpoints go to OUT_work.'),
    valid: Optional[Path] = typer.Option(None, help='Texts to be asked about; the last fiftieth of the documents without it.'),
    also: list[Path] = typer.Option([], help='More texts to measure the perplexity on; may be given several times.'),
    text_col: str = typer.Option('text', help='Column with the texts, for tables.'),
    tokens: Optional[int] = typer.Option(None, min=1, help='Tokens to read; the corpus once without it. Fewer than were read: the rate falls now.'),
    minutes: Optional[float] = typer.Option(None, min=0, help='Stop after so many minutes; the same command goes on.'),
    save_minutes: float = typer.Option(10, min=0, help='Minutes between checkpoints.'),
    max_vocab: Optional[int] = typer.Option(None, min=60, help='Tokens in the vocab.'),
    emb_sz: Optional[int] = typer.Option(None, min=2, help='Numbers per token.'),
    n_hid: Optional[int] = typer.Option(None, min=2, help='Units of the inner layers.'),
    n_layers: Optional[int] = typer.Option(None, min=1, help='LSTMs on top of each other.'),
    bs: Optional[int] = typer.Option(None, min=1, help='Rows read side by side.'),
    lr: Optional[float] = typer.Option(None, help='Learning rate of the flat part.'),
    backwards: bool = typer.Option(False, '--backwards', help='Read from the end.'),
    vectors: Optional[Path] = typer.Option(None, help='Folder with a model of transformers whose word pieces the embeddings begin with; random numbers without it.'),
    emb_lr: Optional[float] = typer.Option(None, min=0, help='Share of the rate for the embeddings; 1 without it.'),
    seed: Optional[int] = typer.Option(None, help='Of the weights and the order of the texts.'),
    about: str = typer.Option('', help='For the model card: what the texts are, and their licences.'),
):
    """Train a language model on any text, with checkpoints; the same command goes on after an interruption.

    Example: fastnlp train-lm articles.parquet books/ --out my_model
    """
    import shlex
    from fastnlp_course.models.lm_runs import train_lm
    from fastnlp_course.models.pretraining import make_recipe
    recipe = make_recipe(max_vocab=max_vocab, emb_sz=emb_sz, n_hid=n_hid, n_layers=n_layers, bs=bs, lr=lr, emb_lr=emb_lr, backwards=backwards, seed=seed)
    rows = None
    if vectors is not None:
        from fastnlp_course.applications.encoders import piece_rows
        def rows(vocab): return piece_rows(vocab, vectors, recipe.emb_sz)
    train_lm(files, out, valid=valid, recipe=recipe, tokens=tokens, text_cols=text_col, minutes=minutes, save_minutes=save_minutes,
             also={path.name: path for path in also}, about=about, command=shlex.join(['fastnlp', *sys.argv[1:]]), log=say, vectors=rows)

@app.command('train-pairs')
@say_errors
def train_on_pairs(
    file: Path = typer.Argument(..., help='Table with a header: CSV, TSV, JSON lines (each also with gzip) or Parquet.'),
    anchor: str = typer.Option('anchor', help='Column with the first phrase.'),
    target: str = typer.Option('target', help='Column with the second phrase.'),
    context: Optional[str] = typer.Option(None, help="Column with the context; 'context' without it, where there is one."),
    score: str = typer.Option('score', help='Column with the scores.'),
    group: Optional[str] = typer.Option(None, help='Column with what must stay on one side of the split; the anchor without it.'),
    low: float = typer.Option(0, help='Lowest score that the data can have.'),
    high: float = typer.Option(1, help='Highest score; 5 for STS.'),
    model: Optional[str] = typer.Option(None, help='Folder with a model of transformers, or a name on the hub; the packaged MiniLM without it.'),
    template: str = typer.Option('titles', help="How a row becomes a text: lesson, separators, titles, together, or '{anchor} ... {target}'."),
    out: Optional[Path] = typer.Option(None, help='Folder for model, predictions and metrics; FILE_pairs without it.'),
    epochs: int = typer.Option(4, min=1, help='Passes over the training pairs.'),
    lr: float = typer.Option(2e-4, help='Learning rate of the head; lower layers get less.'),
    bs: int = typer.Option(64, min=1, help='Pairs per batch.'),
    valid_pct: Optional[float] = typer.Option(None, help='Share of the groups that the model is judged on; 0.2 without it.'),
    valid_col: Optional[str] = typer.Option(None, help='Column that marks the pairs to judge by: dev, test, val, validation, yes or 1, against train, no or 0.'),
    sep: Optional[str] = SEP,
    encoding: Optional[str] = ENCODING,
    seed: int = typer.Option(42, help='Of the split, the weights and the batches.'),
):
    """Train a model that scores pairs of phrases, and judge it on groups that it has not seen.

    Example: fastnlp train-pairs sts.csv --anchor sentence1 --target sentence2 --score rating --high 5
    """
    from fastnlp_course.applications.kaggle import read_pairs, train_pairs
    from fastnlp_course.applications.pair_baselines import valid_pairs
    from fastnlp_course.applications.train_table import quiet_transformers
    from fastnlp_course.text.table_files import read_table
    if valid_col is not None and valid_pct is not None:
        raise ValueError('--valid-col says which pairs to judge by, and --valid-pct draws them. Pass one of them.')
    out = file.with_name(f"{file.name.split('.')[0]}_pairs") if out is None else out
    quiet_transformers()
    with options_named():
        pairs = read_pairs(file, anchor, target, context, score, group=group, scale=(low, high), sep=sep, encoding=encoding, log=note)
        is_valid = None if valid_col is None else valid_pairs(read_table(file, sep, encoding), valid_col)
        train_pairs(pairs, out, model, template=template, epochs=epochs, lr=lr, bs=bs, valid_pct=0.2 if valid_pct is None else valid_pct, seed=seed, log=say, is_valid=is_valid)
    say(f'Use it: fastnlp match pairs.csv --model {out/"model"}')

@app.command()
@say_errors
def match(
    file: Path = typer.Argument(..., help='Table with pairs: CSV, TSV, JSON lines (each also with gzip) or Parquet.'),
    model: Path = typer.Option(..., help='Folder of an exported pair model: OUT/model of train-pairs.'),
    anchor: str = typer.Option('anchor', help='Column with the first phrase.'),
    target: str = typer.Option('target', help='Column with the second phrase.'),
    context: Optional[str] = typer.Option(None, help="Column with the context; 'context' without it, where there is one."),
    sep: Optional[str] = SEP,
    encoding: Optional[str] = ENCODING,
    out: Optional[Path] = typer.Option(None, help='Write id and score to this CSV file, as Kaggle wants them, instead of printing.'),
    guard: bool = GUARD,
):
    """Score pairs of phrases from 0 (unrelated) to 1 (the same).

    Example: fastnlp match pairs.csv --model sts_pairs/model --out scored.csv
    """
    from fastnlp_course.applications.kaggle import make_submission, read_pairs
    from fastnlp_course.applications.pairs import predict_pairs
    with options_named():
        pairs = read_pairs(file, anchor, target, context, sep=sep, encoding=encoding, log=note)
    scores = predict_pairs(model, pairs)
    if out is None:
        say(guarded(pairs.table[['id', 'anchor', 'target', 'context']].assign(score=scores.round(4)), guard).to_csv(index=False, lineterminator='\n'))
        return
    make_submission(pairs, scores, out)
    say(f'{len(pairs)} scores written to {out}')

@app.command()
@say_errors
def predict(
    model: Path = typer.Argument(..., help='Folder of a model of texts: OUT/model of train-classifier, or any that the package or transformers has saved.'),
    text: Optional[str] = typer.Argument(None, help='The text to classify; - reads one text per line from the input.'),
    file: Optional[Path] = typer.Option(None, help='A table (CSV, TSV, JSON lines, each also with gzip, or Parquet), a text file with one text per line, or -.'),
    text_col: Optional[str] = typer.Option(None, help='Column with the texts, for a table; the columns that the model was trained on without it.'),
    sep: Optional[str] = SEP,
    encoding: Optional[str] = ENCODING,
    out: Optional[Path] = typer.Option(None, help='Write a CSV file instead of printing.'),
    engine: Optional[str] = typer.Option(None, help='ray: share the rows of a file out to a Ray cluster (RAY_ADDRESS, or this machine).'),
    guard: bool = GUARD,
):
    """Classify a text, or every row of a file; the other columns of a table are kept.

    Example: fastnlp predict demo_output/model "A moving and funny film."
    """
    with nothing_is_garbage():
        from fastnlp_course.applications.predict_table import predict_parts, predict_text
    if (text is None) == (file is None):
        raise ValueError('pass either a text or --file, not both and not neither. Example: fastnlp predict MODEL "A moving film."')
    if text is not None and text != '-':
        if engine is not None:
            raise ValueError('--engine shares out the rows of a file, and one text was given. Leave it out, or pass --file.')
        with nothing_is_garbage(): answers = predict_text(model, text)
        if out is None:
            say(answers.iloc[0].drop('text').to_string())
            return
        parts = iter([guarded(answers, guard)])
    else:
        parts = (guarded(part, guard) for part in predict_parts(model, file or Path('-'), text_col, sep, encoding, note, engine=engine))
    if out is None:
        try:
            for i, part in enumerate(parts):
                say(part.to_csv(index=False, lineterminator='\n', header=i == 0).rstrip('\n'))
        except BrokenPipeError:
            nobody_reads()
        return
    from fastnlp_course.files import atomic_write
    n = 0
    with atomic_write(out, 'w', encoding='utf-8') as handle:
        for part in parts:
            part.to_csv(handle, index=False, lineterminator='\n', header=n == 0)
            n += len(part)
    say(f'{n} predictions written to {out}')

@app.command()
@say_errors
def serve(
    model: Path = typer.Argument(..., help='Folder of a model of texts.'),
    host: str = typer.Option('127.0.0.1', help='Address to listen on; with 127.0.0.1 only this machine can ask.'),
    port: int = typer.Option(8000, min=0, max=65535, help='Port to listen on; 0 takes any free one.'),
    max_rows: int = typer.Option(256, min=1, help='Texts per request.'),
    max_chars: int = typer.Option(20_000, min=1, help='Characters per text.'),
    wait_ms: float = typer.Option(5, min=0, help='Milliseconds that a request waits for others, to be answered together.'),
):
    """Answer over HTTP: POST /predict takes {"texts": [...]}, GET /health tells how it goes, GET /docs explains.

    Example: fastnlp serve demo_output/model --port 8000
    """
    from fastnlp_course.applications.serving import serve as run_server
    run_server(model, host, port, max_rows, max_chars, wait_ms, log=say_now)

@app.command('app')
@say_errors
def open_page(
    model: Path = typer.Argument(..., help='Folder of a model of texts.'),
    host: str = typer.Option('127.0.0.1', help='Address to listen on; with 127.0.0.1 only this machine sees the page.'),
    port: int = typer.Option(7860, min=0, max=65535, help='Port to listen on; 0 takes any free one.'),
    browser: bool = typer.Option(True, '--browser/--no-browser', help='Open the page in the browser.'),
):
    """Open a page to try the model on: a text with its words in colour, and whole tables.

    Example: fastnlp app demo_output/model
    """
    from fastnlp_course.applications.app import open_app
    open_app(model, host, port, browser, log=say_now)

@app.command('export')
@say_errors
def export_model(
    model: Path = typer.Argument(..., help='Folder of a classifier: OUT/model of train-classifier, or one that the package or transformers has saved.'),
    onnx: bool = typer.Option(False, '--onnx', help='For ONNX Runtime, with vocab or tokenizer and a program that needs no torch.'),
    int8: bool = typer.Option(False, '--int8', help='Weights in 8 bits: about a quarter of the size and faster, probabilities a little different.'),
    out: Optional[Path] = typer.Option(None, '--out', help='Folder to write; MODEL_onnx (or MODEL_onnx_int8) beside the model without it.'),
):
    """Write a classifier for people who have neither torch nor this package.

    Example: fastnlp export demo_output/model --onnx --int8
    """
    if not onnx:
        raise ValueError(f'say in which form: fastnlp export {model} --onnx (the only one so far).')
    from fastnlp_course.applications.onnx_folder import export_onnx, export_report
    say(export_report(export_onnx(model, out, int8), model))

@app.command()
@say_errors
def space(
    model: Path = typer.Argument(..., help='Folder of a model of texts.'),
    folder: Path = typer.Argument(..., help='Folder to write; a Space that was cloned keeps what it has beside.'),
    title: Optional[str] = typer.Option(None, help="Of the page; made of the model's folder without it."),
    license: str = typer.Option('other', help='Of the model, as the hub names it: mit, apache-2.0, cc-by-4.0 ...'),
):
    """Write the folder of a Hugging Face Space: app, requirements, README, and the model.

    Example: fastnlp space demo_output/model my_space --title "Film reviews"
    """
    from fastnlp_course.applications.space import write_space
    write_space(model, folder, title, license, log=note)
    say(f'The Space is in {folder}. Try it: pip install -r {folder/"requirements.txt"} && python {folder/"app.py"}')
    say(f'Then push it: hf upload USER/NAME {folder} --repo-type space')

@app.command()
@say_errors
def card(
    model: Path = typer.Argument(..., help='Folder of a model of texts or of pairs: OUT/model of train-classifier, or any that the package or transformers has saved.'),
    push: Optional[str] = typer.Option(None, '--push', help='Then send model and card to this repository of the Hugging Face hub: USER/NAME.'),
    public: bool = typer.Option(False, '--public', help='Everybody may read a repository that --push makes; only you without it.'),
    license: Optional[str] = typer.Option(None, help='Of the model, as the hub names it: mit, apache-2.0, cc-by-4.0 ...'),
):
    """Write the card of a model from the report beside it: README.md in its folder. What you add below it is kept.

    Example: fastnlp card demo_output/model --push USER/films
    """
    from fastnlp_course.applications.cards import push_to_hub, write_card
    if push is None:
        if public: raise ValueError('--public says who may read what --push sends, and there is no --push. Add --push USER/NAME, or leave --public out.')
        write_card(model, license)
        say(f'The card is in {model/"README.md"}. Read it, and answer the questions at its end.')
        return
    say(f'Model and card are at {push_to_hub(model, push, not public, license, log=note)}')

@app.command()
@say_errors
def generate(
    model: Path = typer.Argument(..., help='Folder of an exported language model.'),
    prompt: str = typer.Argument(..., help='How the text begins.'),
    words: int = typer.Option(40, min=1, help='How many tokens to add.'),
    temperature: float = typer.Option(0.75, min=0.01, help='Lower is safer, higher is wilder.'),
    seed: Optional[int] = typer.Option(None, help='The same seed gives the same text.'),
):
    """Continue a text with a language model.

    Example: fastnlp generate demo_output/language_model "the movie" --words 30
    """
    from fastnlp_course.applications.commands import generate_text
    say(generate_text(model, prompt, words, temperature, seed))

@app.command()
@say_errors
def sample(
    file: Path = typer.Argument(Path('reviews.csv'), help='The table to write.'),
    rows: Optional[int] = typer.Option(None, min=2, help='Only so many rows, drawn at random, the same each time; all without it.'),
    force: bool = typer.Option(False, '--force', help='Write over a file that is there.'),
):
    """Write a table to try the other commands on: the embedded movie reviews, with the columns text and label.

    Example: fastnlp sample reviews.csv --rows 2000
    """
    from fastnlp_course.applications.reviews import movie_reviews
    from fastnlp_course.files import atomic_write
    if file.is_dir(): raise ValueError(f'{file} is a folder. Name a file in it: {file/"reviews.csv"}')
    if file.exists() and not force: raise ValueError(f'{file} is there already. Name another file, or pass --force to write over it.')
    table = movie_reviews()[['text', 'label']]
    if rows is not None:
        if rows > len(table): raise ValueError(f'there are {len(table)} reviews, and --rows asks for {rows}. Ask for fewer, or leave it out for all.')
        table = table.sample(rows, random_state=42)
    with atomic_write(file, 'w', encoding='utf-8') as handle: table.to_csv(handle, index=False, lineterminator='\n')
    say(f"{len(table)} reviews written to {file}: {(table.label == 'pos').sum()} pos, {(table.label == 'neg').sum()} neg")

@app.command()
@say_errors
def capstone(
    folder: Path = typer.Argument(..., help='What train-classifier, card, space or export, predict, and your notes have left.'),
    data: Optional[Path] = typer.Option(None, '--data', help='The table of the run, where it lies neither in the folder nor beside it nor where it was.'),
    notes: bool = typer.Option(False, '--notes', help='Only begin FOLDER/notes.md with the worst answers, and a place for what is wrong with each.'),
    result_file: Optional[Path] = typer.Option(None, '--json', help='Write the result to this file, too.'),
):
    """Judge the capstone of the course by ten points; exit code 0 only when all of them hold. Nothing in the folder is run.

    Example: fastnlp capstone my_classifier --notes
    """
    from fastnlp_course.exercises.capstone import begin_notes, judge_capstone, lines_of
    from fastnlp_course.files import write_json
    if notes:
        say(f'The worst answers are in {begin_notes(folder, data)}. Write what is wrong with each.')
        return
    result = judge_capstone(folder, data)
    if result_file is not None: write_json(result_file, result)
    for line in lines_of(result): say(line)
    if result['got'] < result['of']: raise typer.Exit(1)

@app.command()
@say_errors
def doctor():
    """Show versions, processor, accelerator, data at hand and cache sizes.

    Example: fastnlp doctor
    """
    from fastnlp_course.sources import doctor as examine
    for topic, findings in examine().items():
        if isinstance(findings, dict):
            say(f'{topic}:')
            for name, value in findings.items():
                say(f'  {name}: {value}')
        else:
            say(f'{topic}: {findings}')

if __name__ == '__main__':
    app()
