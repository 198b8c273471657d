"""A headless Chromium, told what to do over a pair of pipes: open pages, read their console, ask questions in JavaScript.

Chromium's own protocol (https://chromedevtools.github.io/devtools-protocol/) needs no driver: messages are JSON with a zero byte
behind each, on descriptors 3 and 4.
"""
import base64, functools, http.server, json, os, shutil, subprocess, tempfile, threading, time

def find_chromium():
    "The path of a Chromium, or None."
    return os.environ.get('CHROMIUM') or next((path for name in ('chromium', 'chromium-browser', 'google-chrome', 'chrome') if (path := shutil.which(name))), None)

class Browser:
    "One headless Chromium with one page."
    def __init__(self, path=None):
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()
        self.folder = tempfile.mkdtemp()
        arguments = ['--headless=new', '--remote-debugging-pipe', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage',
                     '--disable-background-networking', '--hide-scrollbars', f'--user-data-dir={self.folder}', 'about:blank']
        def hand_over():
            first, second = os.dup(to_browser), os.dup(from_browser)
            os.dup2(first, 3)
            os.dup2(second, 4)
        self.process = subprocess.Popen([path or find_chromium(), *arguments], preexec_fn=hand_over, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.rest, self.session, self.events = 0, b'', None, []
        target = self.send('Target.createTarget', url='about:blank')['targetId']
        self.session = self.send('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'): self.send(f'{domain}.enable')

    def read(self, until):
        "The next message, or None when the time is over."
        import select
        while b'\0' not in self.rest:
            if not select.select([self.read_end], [], [], max(0, until - time.monotonic()))[0]: return None
            piece = os.read(self.read_end, 1 << 20)
            if not piece: raise RuntimeError('Chromium has ended')
            self.rest += piece
        message, _, self.rest = self.rest.partition(b'\0')
        return json.loads(message)

    def send(self, method, seconds=60, **parameters):
        "Do it, and give back the answer; events that arrive meanwhile are kept."
        self.number += 1
        message = {'id': self.number, 'method': method, 'params': parameters} | ({'sessionId': self.session} if self.session else {})
        data = json.dumps(message).encode() + b'\0'
        while data: data = data[os.write(self.write_end, data):]
        until = time.monotonic() + seconds
        while (answer := self.read(until)) is not None:
            if answer.get('id') == self.number:
                if 'error' in answer: raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer['result']
            self.events.append(answer)
        raise TimeoutError(f'{method} was not answered in {seconds} seconds')

    def open(self, address, seconds=60):
        "Open a page and wait until it is loaded."
        self.events = []
        self.send('Page.navigate', url=address)
        until = time.monotonic() + seconds
        while not any(event.get('method') == 'Page.loadEventFired' for event in self.events):
            event = self.read(until)
            if event is None: raise TimeoutError(f'{address} was not loaded in {seconds} seconds')
            self.events.append(event)

    def complaints(self):
        "What the page has written to its console as an error, and what it could not load."
        self.ask('0')
        said = []
        for event in self.events:
            what, facts = event.get('method'), event.get('params', {})
            if what == 'Runtime.exceptionThrown': said.append(facts['exceptionDetails'].get('exception', {}).get('description', facts['exceptionDetails']['text']))
            if what == 'Runtime.consoleAPICalled' and facts['type'] in ('error', 'assert'): said.append(' '.join(str(part.get('value', part.get('description'))) for part in facts['args']))
            if what == 'Log.entryAdded' and facts['entry']['level'] == 'error': said.append(f"{facts['entry']['text']} {facts['entry'].get('url', '')}")
            if what == 'Network.requestWillBeSent' and not facts['request']['url'].startswith(('http://127.0.0.1', 'data:', 'blob:', 'about:')): said.append(f"asks the network: {facts['request']['url']}")
        return said

    def ask(self, script, seconds=60):
        "The value of an expression on the page; a promise is waited for."
        answer = self.send('Runtime.evaluate', seconds, expression=script, returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in answer: raise RuntimeError(answer['exceptionDetails'].get('exception', {}).get('description', answer['exceptionDetails']['text']))
        return answer['result'].get('value')

    def size(self, width, height=900):
        "Make the page so wide and high; below 600 pixels it is a phone."
        self.send('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def theme(self, name):
        "Show the light or the dark pages."
        self.send('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': name}, {'name': 'prefers-reduced-motion', 'value': 'reduce'}])

    def picture(self, path, whole=False):
        "Write what is seen as PNG."
        data = self.send('Page.captureScreenshot', format='png', captureBeyondViewport=whole)['data']
        with open(path, 'wb') as file: file.write(base64.b64decode(data))

    def close(self):
        "End the browser and remove its folder."
        self.process.terminate()
        self.process.wait(20)
        for end in (self.write_end, self.read_end): os.close(end)
        shutil.rmtree(self.folder, ignore_errors=True)

class Quiet(http.server.SimpleHTTPRequestHandler):
    "A server that prints nothing."
    def log_message(self, *details): pass

def serve(folder):
    "Serve a folder on a free port: gives the server and its address."
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f'http://127.0.0.1:{server.server_port}/'
